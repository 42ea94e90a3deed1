BEGIN TRANSACTION;
CREATE TABLE sectigo_order_events (
	order_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	at DOUBLE NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	old VARCHAR(16), 
	new VARCHAR(16) NOT NULL, 
	reason TEXT NOT NULL, 
	worker TEXT NOT NULL, 
	batch_id BIGINT, 
	CONSTRAINT pk_sectigo_order_events PRIMARY KEY (order_id, number), 
	CONSTRAINT fk_sectigo_order_events_order_id FOREIGN KEY(order_id) REFERENCES sectigo_orders (id)
);
INSERT INTO "sectigo_order_events" VALUES(1,1,1700000000.0,'state',NULL,'planned','it was placed','',NULL);
INSERT INTO "sectigo_order_events" VALUES(2,1,1700000000.0,'state',NULL,'planned','it was placed','',NULL);
INSERT INTO "sectigo_order_events" VALUES(2,2,1700000000.0,'state','planned','ordering','attempt 1 is about to be sent','worker',NULL);
INSERT INTO "sectigo_order_events" VALUES(3,1,1700000000.0,'state',NULL,'planned','it was placed','',NULL);
INSERT INTO "sectigo_order_events" VALUES(3,2,1700000000.0,'state','planned','ordering','attempt 1 is about to be sent','worker',NULL);
INSERT INTO "sectigo_order_events" VALUES(3,3,1700000000.0,'state','ordering','unknown','it is unknown','worker',NULL);
INSERT INTO "sectigo_order_events" VALUES(4,1,1700000000.0,'state',NULL,'planned','it was placed','',NULL);
INSERT INTO "sectigo_order_events" VALUES(4,2,1700000000.0,'state','planned','ordering','attempt 1 is about to be sent','worker',NULL);
INSERT INTO "sectigo_order_events" VALUES(4,3,1700000000.0,'state','ordering','placed','it is placed','worker',103);
INSERT INTO "sectigo_order_events" VALUES(5,1,1700000000.0,'state',NULL,'planned','it was placed','',NULL);
INSERT INTO "sectigo_order_events" VALUES(5,2,1700000000.0,'state','planned','ordering','attempt 1 is about to be sent','worker',NULL);
INSERT INTO "sectigo_order_events" VALUES(5,3,1700000000.0,'state','ordering','placed','it is placed','worker',104);
INSERT INTO "sectigo_order_events" VALUES(5,4,1700000000.0,'state','placed','issuing','it is issuing','worker',104);
INSERT INTO "sectigo_order_events" VALUES(6,1,1700000000.0,'state',NULL,'planned','it was placed','',NULL);
INSERT INTO "sectigo_order_events" VALUES(6,2,1700000000.0,'state','planned','ordering','attempt 1 is about to be sent','worker',NULL);
INSERT INTO "sectigo_order_events" VALUES(6,3,1700000000.0,'state','ordering','placed','it is placed','worker',105);
INSERT INTO "sectigo_order_events" VALUES(6,4,1700000000.0,'state','placed','ready','it is ready','worker',105);
INSERT INTO "sectigo_order_events" VALUES(7,1,1700000000.0,'state',NULL,'planned','it was placed','',NULL);
INSERT INTO "sectigo_order_events" VALUES(7,2,1700000000.0,'state','planned','ordering','attempt 1 is about to be sent','worker',NULL);
INSERT INTO "sectigo_order_events" VALUES(7,3,1700000000.0,'state','ordering','placed','it is placed','worker',106);
INSERT INTO "sectigo_order_events" VALUES(7,4,1700000000.0,'state','placed','ready','it is ready','worker',106);
INSERT INTO "sectigo_order_events" VALUES(7,5,1700000000.0,'state','ready','fetched','it is fetched','worker',106);
INSERT INTO "sectigo_order_events" VALUES(8,1,1700000000.0,'state',NULL,'planned','it was placed','',NULL);
INSERT INTO "sectigo_order_events" VALUES(8,2,1700000000.0,'state','planned','ordering','attempt 1 is about to be sent','worker',NULL);
INSERT INTO "sectigo_order_events" VALUES(8,3,1700000000.0,'state','ordering','placed','it is placed','worker',107);
INSERT INTO "sectigo_order_events" VALUES(8,4,1700000000.0,'state','placed','ready','it is ready','worker',107);
INSERT INTO "sectigo_order_events" VALUES(8,5,1700000000.0,'state','ready','fetched','it is fetched','worker',107);
INSERT INTO "sectigo_order_events" VALUES(8,6,1700000000.0,'state','fetched','delivered','it is delivered','worker',107);
INSERT INTO "sectigo_order_events" VALUES(9,1,1700000000.0,'state',NULL,'planned','it was placed','',NULL);
INSERT INTO "sectigo_order_events" VALUES(9,2,1700000000.0,'state','planned','rejected','it is rejected','worker',NULL);
INSERT INTO "sectigo_order_events" VALUES(10,1,1700000000.0,'state',NULL,'planned','it was placed','',NULL);
INSERT INTO "sectigo_order_events" VALUES(10,2,1700000000.0,'state','planned','ordering','attempt 1 is about to be sent','worker',NULL);
INSERT INTO "sectigo_order_events" VALUES(10,3,1700000000.0,'state','ordering','placed','it is placed','worker',109);
INSERT INTO "sectigo_order_events" VALUES(10,4,1700000000.0,'state','placed','failed','it is failed','worker',109);
INSERT INTO "sectigo_order_events" VALUES(11,1,1700000000.0,'state',NULL,'planned','it was placed','',NULL);
INSERT INTO "sectigo_order_events" VALUES(11,2,1700000000.0,'state','planned','ordering','attempt 1 is about to be sent','worker',NULL);
INSERT INTO "sectigo_order_events" VALUES(11,3,1700000000.0,'state','ordering','placed','it is placed','worker',110);
INSERT INTO "sectigo_order_events" VALUES(11,4,1700000000.0,'state','placed','expired','it is expired','worker',110);
INSERT INTO "sectigo_order_events" VALUES(12,1,1700000000.0,'state',NULL,'planned','it was placed','',NULL);
INSERT INTO "sectigo_order_events" VALUES(12,2,1700000000.0,'state','planned','cancelled','it is cancelled','worker',NULL);
INSERT INTO "sectigo_order_events" VALUES(5,5,1700000000.0,'withdrawn','issuing','issuing','a mistake','',104);
INSERT INTO "sectigo_order_events" VALUES(13,1,1700000000.0,'state',NULL,'planned','it was placed','',NULL);
INSERT INTO "sectigo_order_events" VALUES(8,7,1700000000.0,'renewal','delivered','delivered','the order ''delivered~1'' renews it','',107);
INSERT INTO "sectigo_order_events" VALUES(14,1,1700000000.0,'state',NULL,'planned','it was placed','',NULL);
INSERT INTO "sectigo_order_events" VALUES(14,2,1700000000.0,'state','planned','ordering','attempt 1 is about to be sent','worker',NULL);
INSERT INTO "sectigo_order_events" VALUES(14,3,1700000000.0,'state','ordering','placed','it is placed','worker',200);
INSERT INTO "sectigo_order_events" VALUES(14,4,1700000000.0,'state','placed','ready','it is ready','worker',200);
INSERT INTO "sectigo_order_events" VALUES(14,5,1700000000.0,'state','ready','fetched','it is fetched','worker',200);
INSERT INTO "sectigo_order_events" VALUES(14,6,1700000000.0,'state','fetched','delivered','it is delivered','worker',200);
CREATE TABLE sectigo_order_labels (
	order_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_sectigo_order_labels PRIMARY KEY (order_id, name), 
	CONSTRAINT fk_sectigo_order_labels_order_id FOREIGN KEY(order_id) REFERENCES sectigo_orders (id)
);
INSERT INTO "sectigo_order_labels" VALUES(1,'site','north');
INSERT INTO "sectigo_order_labels" VALUES(2,'site','north');
INSERT INTO "sectigo_order_labels" VALUES(3,'site','north');
INSERT INTO "sectigo_order_labels" VALUES(4,'site','north');
INSERT INTO "sectigo_order_labels" VALUES(5,'site','north');
INSERT INTO "sectigo_order_labels" VALUES(6,'site','north');
INSERT INTO "sectigo_order_labels" VALUES(7,'site','north');
INSERT INTO "sectigo_order_labels" VALUES(8,'site','north');
INSERT INTO "sectigo_order_labels" VALUES(9,'site','north');
INSERT INTO "sectigo_order_labels" VALUES(10,'site','north');
INSERT INTO "sectigo_order_labels" VALUES(11,'site','north');
INSERT INTO "sectigo_order_labels" VALUES(12,'site','north');
INSERT INTO "sectigo_order_labels" VALUES(13,'site','north');
CREATE TABLE sectigo_order_service (
	number INTEGER NOT NULL, 
	endpoint TEXT NOT NULL, 
	CONSTRAINT pk_sectigo_order_service PRIMARY KEY (number)
);
CREATE TABLE sectigo_order_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT sectigo_order_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "sectigo_order_version" VALUES('0001');
CREATE TABLE sectigo_orders (
	id INTEGER NOT NULL, 
	uid VARCHAR(16) NOT NULL, 
	"key" VARCHAR(240) NOT NULL, 
	common_name TEXT NOT NULL, 
	searched TEXT NOT NULL, 
	wanted TEXT NOT NULL, 
	password_given BOOLEAN NOT NULL, 
	password_number INTEGER NOT NULL, 
	key_given BOOLEAN NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	reason TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	created_at DOUBLE NOT NULL, 
	changed_at DOUBLE NOT NULL, 
	next_at DOUBLE, 
	attention TEXT, 
	second_batch TEXT, 
	failures INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	batch_name TEXT, 
	sent_at DOUBLE, 
	sent_until DOUBLE, 
	settles_at DOUBLE, 
	settles_boot TEXT, 
	known_batch_id BIGINT, 
	batch_id BIGINT, 
	authority_id BIGINT, 
	profile_id BIGINT, 
	ready_at DOUBLE, 
	certificate TEXT, 
	serial_number TEXT, 
	withdrawn TEXT, 
	renews VARCHAR(240), 
	renewed_by VARCHAR(240), 
	renew_at DOUBLE, 
	revoke_at DOUBLE, 
	revoked_at DOUBLE, 
	doubtful BOOLEAN NOT NULL, 
	placed_at DOUBLE, 
	urgency INTEGER NOT NULL, 
	turn DOUBLE, 
	lease_number INTEGER NOT NULL, 
	lease_worker TEXT, 
	lease_from DOUBLE, 
	lease_until DOUBLE, 
	lease_boot TEXT, 
	events INTEGER NOT NULL, 
	archived BOOLEAN NOT NULL, 
	secrets_kept BOOLEAN NOT NULL, 
	CONSTRAINT pk_sectigo_orders PRIMARY KEY (id), 
	CONSTRAINT uq_sectigo_orders_key UNIQUE ("key"), 
	CONSTRAINT uq_sectigo_orders_uid UNIQUE (uid)
);
INSERT INTO "sectigo_orders" VALUES(1,'a907c2eb4fe8243e','planned','example.com','planned example.com','{"names": ["example.com"], "params": {"organizationName": "Example"}, "days_to_live": 30, "renewal": {"before": 30, "revoke_after": 14}, "labels": {"site": "north"}}',0,0,0,'planned','it was placed',1,1700000000.0,1700000000.0,1700000000.0,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,4,1700000000.0,0,NULL,NULL,NULL,NULL,1,0,1);
INSERT INTO "sectigo_orders" VALUES(2,'6a99707d3f1365a3','ordering','example.com','ordering example.com','{"names": ["example.com"], "params": {"organizationName": "Example"}, "days_to_live": 30, "renewal": {"before": 30, "revoke_after": 14}, "labels": {"site": "north"}}',0,1,0,'ordering','attempt 1 is about to be sent',2,1700000000.0,1700000000.0,1700000000.0,NULL,NULL,0,1,'ordering-6a99707d3f1365a3-1',1700000000.0,1700000030.0,46207.922281963,'3400d09a-fb2d-45fc-9ef3-5f35867c180e',NULL,NULL,1,2,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,0,1700000000.0,1,'worker',46177.917914203,NULL,'3400d09a-fb2d-45fc-9ef3-5f35867c180e',2,0,1);
INSERT INTO "sectigo_orders" VALUES(3,'8ad5ef6ce3cd9956','unknown','example.com','unknown example.com','{"names": ["example.com"], "params": {"organizationName": "Example"}, "days_to_live": 30, "renewal": {"before": 30, "revoke_after": 14}, "labels": {"site": "north"}}',0,1,0,'unknown','it is unknown',3,1700000000.0,1700000000.0,1700000000.0,NULL,NULL,0,1,'unknown-8ad5ef6ce3cd9956-1',1700000000.0,1700000030.0,46207.948741797,'3400d09a-fb2d-45fc-9ef3-5f35867c180e',NULL,NULL,1,2,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,NULL,0,1700000000.0,1,'worker',46177.943540031,NULL,'3400d09a-fb2d-45fc-9ef3-5f35867c180e',3,0,1);
INSERT INTO "sectigo_orders" VALUES(4,'1f1fa70b103d770d','placed','example.com','placed example.com','{"names": ["example.com"], "params": {"organizationName": "Example"}, "days_to_live": 30, "renewal": {"before": 30, "revoke_after": 14}, "labels": {"site": "north"}}',0,1,0,'placed','it is placed',3,1700000000.0,1700000000.0,1700000000.0,NULL,NULL,0,1,'placed-1f1fa70b103d770d-1',1700000000.0,1700000030.0,46207.968600689,'3400d09a-fb2d-45fc-9ef3-5f35867c180e',NULL,103,1,2,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,1700000000.0,3,1700000000.0,1,'worker',46177.965154415,NULL,'3400d09a-fb2d-45fc-9ef3-5f35867c180e',3,0,1);
INSERT INTO "sectigo_orders" VALUES(5,'46b1cf908bec5379','issuing','example.com','issuing example.com','{"names": ["example.com"], "params": {"organizationName": "Example"}, "days_to_live": 30, "renewal": {"before": 30, "revoke_after": 14}, "labels": {"site": "north"}}',0,1,0,'issuing','it is issuing',6,1700000000.0,1700000000.0,1700000000.0,NULL,NULL,0,1,'issuing-46b1cf908bec5379-1',1700000000.0,1700000030.0,46207.984601131,'3400d09a-fb2d-45fc-9ef3-5f35867c180e',103,104,1,2,NULL,NULL,NULL,'a mistake',NULL,NULL,NULL,NULL,NULL,0,1700000000.0,3,1700000000.0,1,'worker',46177.980858694,NULL,'3400d09a-fb2d-45fc-9ef3-5f35867c180e',5,0,1);
INSERT INTO "sectigo_orders" VALUES(6,'dd86db37d712ed79','ready','example.com','ready example.com','{"names": ["example.com"], "params": {"organizationName": "Example"}, "days_to_live": 30, "renewal": {"before": 30, "revoke_after": 14}, "labels": {"site": "north"}}',0,1,0,'ready','it is ready',4,1700000000.0,1700000000.0,1700000000.0,NULL,NULL,0,1,'ready-dd86db37d712ed79-1',1700000000.0,1700000030.0,46208.006924843,'3400d09a-fb2d-45fc-9ef3-5f35867c180e',104,105,1,2,1700000000.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,1700000000.0,1,1702592000.0,1,'worker',46178.005091092,NULL,'3400d09a-fb2d-45fc-9ef3-5f35867c180e',4,0,1);
INSERT INTO "sectigo_orders" VALUES(7,'cdcf305332b56f8b','fetched','example.com','fetched example.com','{"names": ["example.com"], "params": {"organizationName": "Example"}, "days_to_live": 30, "renewal": {"before": 30, "revoke_after": 14}, "labels": {"site": "north"}}',0,1,0,'fetched','it is fetched',5,1700000000.0,1700000000.0,1700000000.0,NULL,NULL,0,1,'fetched-cdcf305332b56f8b-1',1700000000.0,1700000030.0,46208.032220585,'3400d09a-fb2d-45fc-9ef3-5f35867c180e',105,106,1,2,1700000000.0,'{"serial_number": "006A", "fingerprint": "abababababababababababababababababababababababababababababababab", "not_before": "2026-01-01T00:00:00+00:00", "not_after": "2027-01-01T00:00:00+00:00", "dns_names": ["example.com"]}','006A',NULL,NULL,NULL,NULL,NULL,NULL,0,1700000000.0,2,1700000000.0,1,'worker',46178.029048164,NULL,'3400d09a-fb2d-45fc-9ef3-5f35867c180e',5,0,1);
INSERT INTO "sectigo_orders" VALUES(8,'a0edc48558f067e1','delivered','example.com','delivered example.com','{"names": ["example.com"], "params": {"organizationName": "Example"}, "days_to_live": 30, "renewal": {"before": 30, "revoke_after": 14}, "labels": {"site": "north"}}',0,1,0,'delivered','it is delivered',8,1700000000.0,1700000000.0,NULL,NULL,NULL,0,1,'delivered-a0edc48558f067e1-1',1700000000.0,1700000030.0,46208.058512882,'3400d09a-fb2d-45fc-9ef3-5f35867c180e',106,107,1,2,1700000000.0,'{"serial_number": "006B", "fingerprint": "abababababababababababababababababababababababababababababababab", "not_before": "2026-01-01T00:00:00+00:00", "not_after": "2027-01-01T00:00:00+00:00", "dns_names": ["example.com"]}','006B',NULL,NULL,'delivered~1',NULL,NULL,NULL,0,1700000000.0,5,NULL,1,'worker',46178.057162267,NULL,'3400d09a-fb2d-45fc-9ef3-5f35867c180e',7,0,1);
INSERT INTO "sectigo_orders" VALUES(9,'76384ef331c7ca91','rejected','example.com','rejected example.com','{"names": ["example.com"], "params": {"organizationName": "Example"}, "days_to_live": 30, "renewal": {"before": 30, "revoke_after": 14}, "labels": {"site": "north"}}',0,0,0,'rejected','it is rejected',2,1700000000.0,1700000000.0,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,5,NULL,1,'worker',46178.093099828,NULL,'3400d09a-fb2d-45fc-9ef3-5f35867c180e',2,0,1);
INSERT INTO "sectigo_orders" VALUES(10,'1c39bf9a33c8bd39','failed','example.com','failed example.com','{"names": ["example.com"], "params": {"organizationName": "Example"}, "days_to_live": 30, "renewal": {"before": 30, "revoke_after": 14}, "labels": {"site": "north"}}',0,1,0,'failed','it is failed',4,1700000000.0,1700000000.0,NULL,NULL,NULL,0,1,'failed-1c39bf9a33c8bd39-1',1700000000.0,1700000030.0,46208.112544397,'3400d09a-fb2d-45fc-9ef3-5f35867c180e',107,109,1,2,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,1700000000.0,5,NULL,1,'worker',46178.11048817,NULL,'3400d09a-fb2d-45fc-9ef3-5f35867c180e',4,0,1);
INSERT INTO "sectigo_orders" VALUES(11,'1bb9f55acc5ed45a','expired','example.com','expired example.com','{"names": ["example.com"], "params": {"organizationName": "Example"}, "days_to_live": 30, "renewal": {"before": 30, "revoke_after": 14}, "labels": {"site": "north"}}',0,1,0,'expired','it is expired',4,1700000000.0,1700000000.0,NULL,NULL,NULL,0,1,'expired-1bb9f55acc5ed45a-1',1700000000.0,1700000030.0,46208.152838855,'3400d09a-fb2d-45fc-9ef3-5f35867c180e',109,110,1,2,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,1700000000.0,5,NULL,1,'worker',46178.149113466,NULL,'3400d09a-fb2d-45fc-9ef3-5f35867c180e',4,0,1);
INSERT INTO "sectigo_orders" VALUES(12,'2ba19b136fd64bfa','cancelled','example.com','cancelled example.com','{"names": ["example.com"], "params": {"organizationName": "Example"}, "days_to_live": 30, "renewal": {"before": 30, "revoke_after": 14}, "labels": {"site": "north"}}',0,0,0,'cancelled','it is cancelled',2,1700000000.0,1700000000.0,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,5,NULL,1,'worker',46178.173096677,NULL,'3400d09a-fb2d-45fc-9ef3-5f35867c180e',2,0,1);
INSERT INTO "sectigo_orders" VALUES(13,'2f8f16d8a0f4e0ee','delivered~1','example.com','delivered~1 example.com','{"names": ["example.com"], "params": {"organizationName": "Example"}, "days_to_live": 30, "renewal": {"before": 30, "revoke_after": 14}, "labels": {"site": "north"}}',0,0,0,'planned','it was placed',2,1700000000.0,1700000000.0,1700000000.0,'look at this',NULL,3,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'delivered',NULL,NULL,NULL,NULL,0,NULL,4,1700000000.0,1,'worker',46178.245011324,46178.245011324,'3400d09a-fb2d-45fc-9ef3-5f35867c180e',1,0,1);
INSERT INTO "sectigo_orders" VALUES(14,'5e96c1cf85e8de9a','over','example.com','over example.com','{"names": ["example.com"]}',0,1,0,'delivered','it is delivered',6,1700000000.0,1700000000.0,NULL,NULL,NULL,0,1,'over-5e96c1cf85e8de9a-1',1700000000.0,1700000030.0,46208.204489358,'3400d09a-fb2d-45fc-9ef3-5f35867c180e',110,200,1,2,1700000000.0,'{"serial_number": "00C8", "fingerprint": "abababababababababababababababababababababababababababababababab", "not_before": "2026-01-01T00:00:00+00:00", "not_after": "2027-01-01T00:00:00+00:00", "dns_names": ["example.com"]}','00C8',NULL,NULL,NULL,NULL,NULL,NULL,0,1700000000.0,5,NULL,1,'worker',46178.202502549,NULL,'3400d09a-fb2d-45fc-9ef3-5f35867c180e',6,1,0);
CREATE INDEX ix_sectigo_orders_archived_changed_at ON sectigo_orders (archived, changed_at);
CREATE INDEX ix_sectigo_orders_archived_state_id ON sectigo_orders (archived, state, id);
CREATE INDEX ix_sectigo_orders_attention ON sectigo_orders (id) WHERE attention IS NOT NULL;
CREATE INDEX ix_sectigo_orders_authority_id_placed_at ON sectigo_orders (authority_id, placed_at);
CREATE INDEX ix_sectigo_orders_batch_id ON sectigo_orders (batch_id);
CREATE INDEX ix_sectigo_orders_common_name ON sectigo_orders (common_name);
CREATE INDEX ix_sectigo_orders_next_at ON sectigo_orders (next_at);
CREATE INDEX ix_sectigo_orders_secrets ON sectigo_orders (id) WHERE archived = 1 AND secrets_kept = 1;
CREATE INDEX ix_sectigo_orders_urgency_turn_id ON sectigo_orders (urgency, turn, id);
CREATE INDEX ix_sectigo_order_labels_name_value_order_id ON sectigo_order_labels (name, value, order_id);
COMMIT;
