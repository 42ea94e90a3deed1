"""Files of certificates put in place: in versions, by one switch, for whom they are meant."""
