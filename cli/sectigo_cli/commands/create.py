"""`sectigo create`: order one certificate, whose key the service makes.

Authority, parameters and password are settled first, against the live profile; then, once, the order is sent.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from sectigo_cli.context import Context
from sectigo_cli.extracting import extraction
from sectigo_cli.folders import folder_for
from sectigo_cli.following import add_following_options, follow
from sectigo_cli.names import dns_names
from sectigo_cli.options import Parser, UsageError, filled, parameter, positive
from sectigo_cli.ordered import order
from sectigo_cli.output import print_json
from sectigo_cli.pkcs12_passwords import (
    PASSWORD,
    check_heard,
    check_password_out,
    generated_password,
    given_password,
    keeping,
    with_params,
)

if TYPE_CHECKING:
    from sectigo_iot import Authority, ProfileParameter

DNS_NAMES = "dNSName"
NAMES = ("commonName", DNS_NAMES)
SUBJECT = {
    "organization": "organizationName",
    "locality": "localityName",
    "state": "stateOrProvinceName",
    "country": "countryName",
}


def configure(parser: Parser) -> None:
    """Add the command's own options."""
    parser.chief = "-d"
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "-a", "--authority", type=positive, metavar="ID", help="the authority to order from, or the id of its profile"
    )
    which.add_argument("--authority-id", type=positive, metavar="ID", help="the same, and never a profile's id")
    parser.add_argument(
        "-d", "--domain", required=True, metavar="NAME", help="the common name, and the first DNS name"
    )
    parser.add_argument("--dns", action="append", default=[], metavar="NAME", help="one more DNS name (repeatable)")
    parser.add_argument("--organization", metavar="TEXT", help="the subject's organization")
    parser.add_argument("-l", "--locality", metavar="TEXT", help="the subject's city")
    parser.add_argument("-s", "--state", metavar="TEXT", help="the subject's state or province, spelt out")
    parser.add_argument("-c", "--country", metavar="CC", help="the subject's country, two letters")
    parser.add_argument(
        "--param", action="append", default=[], type=parameter, metavar="NAME=VALUE", help="any other parameter"
    )
    parser.add_argument("-b", "--batch-name", metavar="TEXT", help="(default: new certs for NAME)")
    secret = parser.add_mutually_exclusive_group()
    secret.add_argument(
        "-p", "--password", dest="pkcs12_password", metavar="TEXT", help="of the PKCS#12; others may see it in ps"
    )
    secret.add_argument(
        "--password-file", type=filled, metavar="FILE", help="the first line of this file; - is stdin"
    )
    secret.add_argument(
        "--password-out", type=filled, metavar="FILE", help="write the generated password here instead of on stderr"
    )
    parser.add_argument("--dry-run", action="store_true", help="do everything but order")
    add_following_options(parser)


def run(args: argparse.Namespace, context: Context) -> None:
    """Settle the order, send it once, print its batch, and follow it as far as was asked."""
    names = dns_names(args.domain, args.dns, said_as="-d NAME")
    name = _batch_name(args.batch_name, names[0])
    asked = _asked(args)
    if args.dns:
        # Asked for by name, so that a profile without DNS names refuses them before they are paid for and missing.
        asked[DNS_NAMES] = "\n".join(names)
    check_password_out(args.password_out)
    wanted = extraction(context, args, args.download, ordering=True)
    given = given_password(context, args.pkcs12_password, args.password_file)
    if given is not None:
        asked[PASSWORD] = given
    elif args.password_out is None and not args.dry_run:
        check_heard(context)
    with folder_for(context, args.download, make=not args.dry_run) as folder:
        authority = _authority(args, context)
        params = _params(context, authority, names, asked)
        if args.dry_run:
            _show(context, authority, name, params)
            return
        generated = params.get(PASSWORD) if given is None else None
        with keeping(context, generated, args.password_out):
            batch = order(context, name, lambda: context.client.create_single_cert_batch(authority.id, name, params))
        if wanted is not None:
            wanted.learn(params.get(PASSWORD))
        follow(context, args, batch.batch_id, folder, wanted)


def _batch_name(given: str | None, domain: str) -> str:
    if given is None:
        return f"new certs for {domain}"
    if not given.strip():
        raise UsageError("the batch name is empty", hint="leave it out, and it is made from the domain")
    return given


def _asked(args: argparse.Namespace) -> dict[str, str]:
    """Return the parameters that the user asked for; a subject field left empty is not one."""
    asked = {parameter: (getattr(args, option) or "").strip() for option, parameter in SUBJECT.items()}
    asked = {name: value for name, value in asked.items() if value}
    return with_params("create", asked, args.param, NAMES, hint="use -d and --dns")


def _authority(args: argparse.Namespace, context: Context) -> Authority:
    from sectigo_iot import choose_authority

    choice = choose_authority(
        context.client.user_authorities(),
        args.authority if args.authority_id is None else args.authority_id,
        profile=context.given_profile,
        exact=args.authority_id is not None,
    )
    if choice.note:
        context.note(choice.note)
    authority = choice.authority
    if authority.balance is not None and authority.balance <= 0:
        context.note(f"the service's list shows no balance left for authority {authority.id}")
    return authority


def _rules(context: Context, authority: Authority) -> tuple[ProfileParameter, ...] | None:
    """Return the live profile's parameters, or None where the service has no such list."""
    from sectigo_iot import NotFoundError, NotImplementedByServiceError

    try:
        rules = context.client.profile_params(authority.profile_id or 0)
    except (NotFoundError, NotImplementedByServiceError) as error:
        context.note(f"the parameters are not checked before ordering: the service does not list them ({error})")
        return None
    if not rules:
        context.note("the parameters are not checked before ordering: the service's list of them is empty")
    return rules or None


def _params(context: Context, authority: Authority, names: list[str], asked: dict[str, str]) -> dict[str, str]:
    """Return the parameters to send. Raises InvalidInputError with every fault that the profile's rules find."""
    from sectigo_iot import InvalidInputError, check_params, order_params

    rules = _rules(context, authority)
    password = asked[PASSWORD] if PASSWORD in asked else generated_password(rules)
    derived = {"commonName": names[0], DNS_NAMES: "\n".join(names), PASSWORD: password}
    params = order_params(rules, derived, asked)
    faults = check_params(rules, params) if rules is not None else ()
    if faults:
        message = faults[0] if len(faults) == 1 else f"{len(faults)} parameters are wrong, nothing was ordered:"
        hint = f"`sectigo profiles -i {authority.profile_id} --params` lists the rules"
        raise InvalidInputError(message, faults=faults, hint=hint)
    return params


def _show(context: Context, authority: Authority, name: str, params: dict[str, str]) -> None:
    shown = {key: "[redacted]" if "password" in key.lower() else value for key, value in params.items()}
    print_json(context, {"authorityId": authority.id, "batchName": name, "profileParams": shown})
    context.note("nothing was ordered (--dry-run)")
