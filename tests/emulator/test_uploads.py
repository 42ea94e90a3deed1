"""Uploading signing requests."""

from __future__ import annotations

import contextlib
import io
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from sectigo_iot.emulator import Emulator
from sectigo_iot.emulator.ca.signing_requests import split_requests
from tests.emulator.api import Api, refused
from tests.emulator.csrs import make_csr, spoil

CSR = make_csr("example.com", "example.com", "www.example.com")
BOUNDARY = "b0undary"


def zipped(method: int = zipfile.ZIP_STORED, **files: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_", "."), content)
    return stream.getvalue()


HEADERS = {
    "profileId": 'name="profileId"',
    "csrBatchRequest": 'name="csrBatchRequest"; filename="blob"\r\nContent-Type: application/json',
    "files": 'name="files"; filename="requests.csr"\r\nContent-Type: text/plain',
}


def form(*parts: tuple[str, bytes], end: str = "--", **headers: str) -> bytes:
    told = HEADERS | headers
    blocks = [
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {told[name]}\r\n\r\n".encode() + content + b"\r\n"
        for name, content in parts
    ]
    return b"".join(blocks) + f"--{BOUNDARY}{end}\r\n".encode()


def sent(api: Api, body: bytes) -> requests.Response:
    header = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return api.call("POST", "/api/v1/batches/upload", data=body, headers=header)


GOOD = (
    ("profileId", b"423"),
    ("csrBatchRequest", b'{"profileId": 423, "batchType": "BATCH", "profileParams": {}}'),
    ("files", CSR),
)


def test_an_upload_reads_pending_and_is_issued(api: Api) -> None:
    before = api.get("/api/v1/authorities/423/balanceavailable").json()
    batch = api.upload(CSR, name="example.csr").json()
    assert (batch["status"], batch["active"], batch["size"]) == ("PENDING", True, 1)
    assert batch["batchName"] == "example.csr"
    chain = x509.load_pem_x509_certificates(api.files(batch["batchId"])["example.com.pem"])
    assert len(chain) == 3
    chain[0].verify_directly_issued_by(chain[1])
    assert chain[0].public_key() == x509.load_pem_x509_csr(CSR).public_key()
    names = chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["example.com", "www.example.com"]
    assert api.get("/api/v1/authorities/423/balanceavailable").json() == before - 1


def test_many_requests_in_one_file(api: Api) -> None:
    before = api.get("/api/v1/authorities/423/balanceavailable").json()
    batch = api.upload(CSR + make_csr("b.example.com", "b.example.com") + CSR).json()
    assert batch["size"] == 3
    assert list(api.files(batch["batchId"])) == ["example.com.pem", "b.example.com.pem", "example.com - 1.pem"]
    assert api.get("/api/v1/authorities/423/balanceavailable").json() == before - 3


def test_a_zip_of_requests(api: Api) -> None:
    content = zipped(a_csr=CSR, b_pem=make_csr("b.example.com", "b.example.com"), readme_txt=CSR)
    batch = api.upload(content, name="requests.zip").json()
    assert set(api.files(batch["batchId"])) == {"example.com.pem", "b.example.com.pem"}


@pytest.mark.parametrize("content", [b"", b"no request", b"PK\x03\x04rubbish", zipped(a_txt=CSR)])
def test_files_without_a_request(api: Api, content: bytes) -> None:
    refused(api.upload(content), 400, "files")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (make_csr("bad.example.com"), "Cert subject name error: SubjectAlternativeName dNSName value is missing"),
        (spoil(make_csr("bad.example.com", "bad.example.com")), "signature"),
        (CSR + b"-----BEGIN CERTIFICATE REQUEST-----\nxx\n-----END CERTIFICATE REQUEST-----\n", "cannot be read"),
    ],
)
def test_a_bad_request_breaks_the_batch(api: Api, content: bytes, reason: str) -> None:
    before = api.get("/api/v1/authorities/423/balanceavailable").json()
    batch = api.upload(content).json()
    assert (batch["status"], batch["rejectReason"]) == ("PENDING", "")
    number = batch["batchId"]
    broken = api.batch(number)
    assert broken["status"] == "BROKEN"
    assert reason in broken["rejectReason"]
    assert api.get(f"/api/v1/batches/{number}/status").text == "Not Acceptable. Status: BROKEN"
    info = api.get(f"/api/v1/batches/{number}/processing_info").json()
    assert info == {"active": 0, "success": 0, "failed": batch["size"]}
    refused(api.get(f"/api/v1/batches/{number}/download"), 400, "BROKEN")
    assert api.get("/api/v1/authorities/423/balanceavailable").json() == before


def test_a_profile_that_is_not_allowed(api: Api) -> None:
    refused(api.upload(CSR, profile=17), 403)


@pytest.mark.parametrize(
    "document",
    [
        {"profileId": 489, "batchType": "BATCH", "profileParams": {}},
        {"profileId": "423", "batchType": "BATCH", "profileParams": {}},
        {"profileId": 423, "batchType": "SINGLE", "profileParams": {}},
        {"profileId": 423, "batchType": "BATCH"},
    ],
)
def test_a_batch_request_that_contradicts(api: Api, document: dict[str, object]) -> None:
    refused(api.upload(CSR, batch_request=document), 400)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_part(api: Api, missing: int) -> None:
    parts = [part for index, part in enumerate(GOOD) if index != missing]
    refused(sent(api, form(*parts)), 400, "missing")


def test_a_form_without_its_end(api: Api) -> None:
    whole = form(*GOOD)
    refused(sent(api, whole[:-20]), 500)
    refused(sent(api, form(*GOOD, end="")), 500)
    assert sent(api, whole).status_code == 201


@pytest.mark.parametrize(
    "header", ["", "text/plain", "multipart/form-data", "multipart/form-data; boundary=" + "b" * 500]
)
def test_what_is_no_form(api: Api, header: str) -> None:
    refused(api.call("POST", "/api/v1/batches/upload", data=form(*GOOD), headers={"Content-Type": header}), 400)


def test_a_form_that_is_garbled(api: Api) -> None:
    refused(sent(api, b"rubbish before\r\n" + form(*GOOD)), 400)


@pytest.mark.parametrize("name", list(HEADERS))
def test_a_part_that_is_there_twice(api: Api, name: str) -> None:
    parts = [part for part in GOOD for _ in range(2 if part[0] == name else 1)]
    refused(sent(api, form(*parts)), 400, f"{name}: the part is there twice")


@pytest.mark.parametrize("order", [(1, 0, 2), (0, 2, 1), (2, 1, 0)])
def test_parts_in_another_order(api: Api, order: tuple[int, ...]) -> None:
    refused(sent(api, form(*(GOOD[index] for index in order))), 400, "order of the parts")


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("csrBatchRequest", 'name="csrBatchRequest"; filename="a.json"\r\nContent-Type: application/json'),
        ("csrBatchRequest", 'name="csrBatchRequest"\r\nContent-Type: application/json'),
        ("csrBatchRequest", 'name="csrBatchRequest"; filename="blob"\r\nContent-Type: text/plain'),
        ("csrBatchRequest", 'name="csrBatchRequest"; filename="blob"'),
        ("files", 'name="files"; filename="x.csr"\r\nContent-Type: application/pdf'),
        ("files", 'name="files"; filename="x.csr"\r\nContent-Type: application/json'),
    ],
)
def test_parts_of_another_name_or_type(api: Api, name: str, header: str) -> None:
    refused(sent(api, form(*GOOD, **{name: header})), 400, f"{name}: the ")


@pytest.mark.parametrize(
    "media_type",
    ["text/plain; charset=utf-8", "Application/Octet-Stream", "application/x-x509-ca-cert", "application/zip"],
)
def test_types_that_a_file_may_have(api: Api, media_type: str) -> None:
    header = f'name="files"; filename="x.csr"\r\nContent-Type: {media_type}'
    assert sent(api, form(*GOOD, files=header)).status_code == 201


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_zip_that_is_packed_otherwise(api: Api, method: int) -> None:
    refused(api.upload(zipped(method, a_csr=CSR)), 400, "neither stored nor deflated")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_with_any_byte_spoilt_is_read_or_refused(method: int) -> None:
    whole = zipped(method, a_csr=CSR)
    assert split_requests(whole) == (CSR.rstrip(),)
    for index in range(4, len(whole)):
        for change in (0xFF, 0x01, 0x0E ^ method, 0x20):
            spoilt = whole[:index] + bytes([whole[index] ^ change]) + whole[index + 1 :]
            with contextlib.suppress(ValueError):
                split_requests(spoilt)


def test_beginnings_without_an_end_do_not_stop_the_server(emulator: Emulator, api: Api) -> None:
    line = b"-----BEGIN CERTIFICATE REQUEST-----\n"
    with ThreadPoolExecutor(1) as pool:
        uploading = pool.submit(api.upload, line * (2 * 1024 * 1024 // len(line)))
        while not uploading.done():
            assert requests.get(emulator.url + "/status", timeout=5).status_code == 200
        refused(uploading.result(), 400, "files")


@pytest.mark.parametrize(
    "names",
    [("Example Ltd", "example.com"), ("example.com", "not a name"), ("example.com", "ok.example.com", "-.com")],
)
def test_names_that_are_no_dns_names_break_the_batch(api: Api, names: tuple[str, ...]) -> None:
    broken = api.batch(api.upload(make_csr(*names)).json()["batchId"])
    assert (broken["status"], "not a DNS name" in broken["rejectReason"]) == ("BROKEN", True)


def test_a_small_exponent_breaks_the_batch(api: Api) -> None:
    csr = make_csr("example.com", "example.com", key=rsa.generate_private_key(3, 2048))
    broken = api.batch(api.upload(csr).json()["batchId"])
    assert (broken["status"], "exponent" in broken["rejectReason"]) == ("BROKEN", True)


def test_more_requests_than_licences() -> None:
    with Emulator(balances={423: 1}) as emulator:
        api = Api(emulator)
        refused(api.upload(CSR * 2), 400, "balance")
        assert api.get("/api/v1/authorities/423/balanceavailable").json() == 1
        api.session.close()


def test_duplicates_can_be_refused() -> None:
    with Emulator(duplicates="refuse") as emulator:
        api = Api(emulator)
        refused(api.upload(CSR * 2), 400, "example.com")
        assert api.upload(CSR).status_code == 201
        api.session.close()
