"""`sectigo auth`: log in, see the session, keep a password in the keyring, forget it all."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from sectigo_cli.context import Context
from sectigo_cli.options import Parser
from sectigo_cli.output import print_line

if TYPE_CHECKING:
    from sectigo_iot import TokenPair


def configure(parser: Parser) -> None:
    """Add the command's own options."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("-d", "--debug", action="store_true", help="say how long the session lives; asks nobody")
    what.add_argument("-C", "--cache", action="store_true", help="say where the session is kept")
    what.add_argument("--login", action="store_true", help="log in, and keep the password in the keyring")
    what.add_argument("--logout", action="store_true", help="forget the session and the password")


def run(args: argparse.Namespace, context: Context) -> None:
    """Do what was asked; by default see to it that there is a session, and that the service knows it."""
    if args.cache:
        _cache(context)
    elif args.debug:
        _debug(context)
    elif args.login:
        _login(context)
    elif args.logout:
        _logout(context)
    else:
        _authenticate(context)
        print_line(context, "user authenticated and credentials cached")


def _authenticate(context: Context) -> None:
    from sectigo_iot import APIError, NotAuthenticatedError

    if context.options.login_password is not None:
        context.client.authenticate()
        return
    try:
        # Kept tokens look valid for as long as they live; only the service knows whether it still takes them.
        context.client.licenses_used()
    except APIError as error:
        if isinstance(error, NotAuthenticatedError) or error.action == "authenticate":
            raise
        context.note(f"the session is accepted, although the service answers: {error}")


def _known_user(context: Context) -> tuple[str, TokenPair | None] | None:
    """Return the user and the tokens kept, without asking anybody for anything."""
    from sectigo_iot import FileTokenStore, NoCredentialsError, login_of

    settings = context.settings
    settings.validate()
    settings.prompt = None
    store = FileTokenStore()
    try:
        username = login_of(settings, store).username()
    except NoCredentialsError:
        return None
    return username, store.load(settings.endpoint, username)


def _cache(context: Context) -> None:
    from sectigo_iot import FileTokenStore

    known = _known_user(context)
    path = FileTokenStore().path(context.settings.endpoint, known[0]) if known else None
    print_line(context, str(path) if path is not None and path.is_file() else "no credentials cache file exists")


def _debug(context: Context) -> None:
    known = _known_user(context)
    username, tokens = known or (None, None)
    print_line(context, _state(tokens))
    context.say(f"user: {username or 'none'}\nendpoint: {context.settings.endpoint}")
    if tokens is not None:
        context.say(f"access token: {_left(tokens.valid_until)}\nrefresh token: {_left(tokens.current_until)}")


def _state(tokens: TokenPair | None) -> str:
    now = time.time()
    if tokens is not None and tokens.valid(now):
        return f"credentials are valid until {_moment(tokens.valid_until)}"
    if tokens is not None and tokens.refreshable(now):
        return f"credentials are current until {_moment(tokens.current_until)}"
    return "credentials are expired or invalid"


def _moment(epoch: float) -> str:
    """Return the moment as Go prints it: local time, its offset, its zone's name."""
    return time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(epoch))


def _left(until: float) -> str:
    left = int(until - time.time())
    return f"{left} s left" if left > 0 else "expired"


def _login(context: Context) -> None:
    from sectigo_iot import remember_login

    settings = context.settings
    username, password = _asked_login(context)
    settings.username, settings.password = username, password
    context.client.authenticate()
    print_line(context, "user authenticated and credentials cached")
    remember_login(settings.endpoint, username, password)
    context.note(f"the password of {username} is kept in the keyring")


def _asked_login(context: Context) -> tuple[str, str]:
    from sectigo_iot import NoCredentialsError

    settings = context.settings
    username, password = settings.username, settings.password
    if context.interactive:
        username = username or context.ask("Sectigo user name: ")
        if settings.sources.get("password") != "argument":
            password = context.ask(f"Sectigo password for {username}: ", secret=True)
    if not username or not password:
        raise NoCredentialsError("there is no terminal to ask for user name and password")
    return username, password


def _logout(context: Context) -> None:
    from sectigo_iot import FileTokenStore, forget_login

    known = _known_user(context)
    if known is None:
        context.note(f"nobody is logged in at {context.settings.endpoint}")
        return
    FileTokenStore().delete(context.settings.endpoint, known[0])
    forget_login(context.settings.endpoint, known[0])
    context.note(f"forgot session and password of {known[0]} at {context.settings.endpoint}")
