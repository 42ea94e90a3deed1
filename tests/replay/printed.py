"""What the command prints for each recording made from the manual: to the letter, indented by two."""

from __future__ import annotations

AUTHORITIES = """\
[
  {
    "id": 1,
    "ecosystemId": 100,
    "signerCertificateId": 0,
    "ecosystemName": "TRISA",
    "balance": 10,
    "enabled": true,
    "profileId": 42,
    "profileName": "TRISA Profile"
  }
]
"""

LICENSES = """\
{
  "ordered": 2,
  "issued": 2
}
"""

PROFILES = """\
[
  {
    "profileId": 42,
    "algorithms": [
      "RSA/4096"
    ],
    "ca": "TRISA"
  }
]
"""

PROFILE_DETAIL = r"""{
  "profileName": "TRISA Profile",
  "profileId": 42,
  "rawProfileConfig": "{\"profileId\": 42}",
  "name": "TRISA Profile",
  "keyAlgorithmInfo": null
}
"""

PROFILE_PARAMETERS = """\
[
  {
    "name": "commonName",
    "inputType": "text",
    "required": true,
    "placeholder": null,
    "validationPattern": null,
    "message": null,
    "value": null,
    "title": "Common Name",
    "scopes": [
      "BATCH"
    ],
    "dynamic": false
  },
  {
    "name": "pkcs12Password",
    "inputType": "password",
    "required": true,
    "placeholder": null,
    "validationPattern": "^.{8,}$",
    "message": "at least 8 characters",
    "value": null,
    "title": "PKCS#12 Password",
    "scopes": [
      "BATCH"
    ],
    "dynamic": false
  }
]
"""

BATCH = """\
{
  "batchId": 24,
  "orderNumber": 1024,
  "creationDate": "2020-12-10T16:35:32.805+0000",
  "profile": "TRISA Profile",
  "size": 1,
  "status": "CREATED",
  "active": false,
  "batchName": "example.com certs",
  "rejectReason": "",
  "generatorParametersValues": null,
  "userId": 10,
  "downloadable": true,
  "rejectable": true
}
"""

PROCESSING = """\
{
  "active": 0,
  "success": 1,
  "failed": 0
}
"""

FOUND = """\
{
  "totalCount": 1,
  "items": [
    {
      "deviceId": "1001",
      "commonName": "example.com",
      "serialNumber": "12345",
      "creationDate": "2020-12-10T16:35:32.805+0000",
      "status": "COLLECTED"
    }
  ]
}
"""

ORGANIZATION = """\
{
  "organizationId": 100,
  "organizationName": "TRISA",
  "address": "1 Example Street",
  "primaryContactName": "Alex Example",
  "primaryContactEmail": "admin@example.com",
  "primaryContactPhone": "555-555-0100",
  "manufactureId": "",
  "logo": "",
  "authorities": [
    {
      "id": 1,
      "ecosystemId": 100,
      "signerCertificateId": 0,
      "ecosystemName": "TRISA",
      "balance": 10,
      "enabled": true,
      "profileId": 42,
      "profileName": "TRISA Profile"
    }
  ],
  "ecosystemId": 100,
  "organizationParameters": {
    "Organization": "TRISA"
  },
  "orgStatus": "ACTIVE"
}
"""

DOWNLOADED = """\
downloaded batch 24 to {target}
after unzipping, unencrypt with your password using `openssl pkcs12 -in example.com.p12 -out example.com.crt -nodes`
"""
