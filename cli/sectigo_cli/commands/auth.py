"""`sectigo auth`: log in, see the session, keep a password in the keyring, forget it all."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from sectigo_cli.context import Context
from sectigo_cli.options import Parser
from sectigo_cli.output import print_line

if TYPE_CHECKING:
    from sectigo_iot import Credentials, TokenPair


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
        _say_authenticated(context)


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


def _say_authenticated(context: Context) -> None:
    """Say that the session is kept only if it is: the cache may be on a disk that is full or cannot be written to."""
    session = context.client.creds
    tokens = session.tokens
    session.load()
    kept = " and credentials cached" if session.tokens == tokens else ""
    print_line(context, f"user authenticated{kept}")


def _kept_session(context: Context) -> Credentials | None:
    """Return the user and the tokens kept, without asking anybody for anything, and without what sends requests."""
    from sectigo_iot import Credentials, FileTokenStore, NoCredentialsError, login_of

    settings = context.settings
    settings.validate()
    settings.prompt = None
    store = FileTokenStore()
    try:
        username = login_of(settings, store).username()
    except NoCredentialsError:
        return None
    session = Credentials(settings.endpoint, username, settings.password, None, store, time.time)
    session.load()
    return session


def _cache(context: Context) -> None:
    known = _kept_session(context)
    path = known.cache_file if known else None
    print_line(context, str(path) if path is not None and path.is_file() else "no credentials cache file exists")


def _debug(context: Context) -> None:
    known = _kept_session(context)
    tokens = known.tokens if known else None
    print_line(context, _state(tokens))
    context.say(f"user: {known.username if known else 'none'}\nendpoint: {context.settings.endpoint}")
    if tokens is not None:
        now = time.time()
        context.say(f"access token: {_left(tokens.valid_until, tokens.valid(now), now)}")
        context.say(f"refresh token: {_left(tokens.current_until, tokens.refreshable(now), now)}")


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


def _left(until: float, usable: bool, now: float) -> str:
    if usable:
        return f"{until - now:.0f} s left"
    # A token may say so itself; or it was received before the clock was set back.
    return "not to be used yet by this clock" if until > now else "expired"


def _login(context: Context) -> None:
    from sectigo_iot import remember_login

    settings = context.settings
    username, password = _asked_login(context)
    settings.username, settings.password = username, password
    context.client.authenticate()
    _say_authenticated(context)
    remember_login(settings.endpoint, username, password)
    context.note(f"the password of {username} is kept in the keyring")


def _asked_login(context: Context) -> tuple[str, str]:
    from sectigo_iot import NoCredentialsError

    settings = context.settings
    username, password = settings.username, settings.password
    if context.interactive:
        username = username or context.ask(f"Sectigo user name at {settings.endpoint}: ")
        if settings.sources.get("password") != "argument":
            password = context.ask(f"Sectigo password of {username} at {settings.endpoint}: ", secret=True)
    if not username or not password:
        asked = "no answer to" if context.interactive else "there is no terminal to ask for"
        raise NoCredentialsError(f"{asked} user name and password")
    return username, password


def _logout(context: Context) -> None:
    from sectigo_iot import forget_login

    known = _kept_session(context)
    if known is None or known.username is None:
        context.note(f"nobody is logged in at {context.settings.endpoint}")
        return
    context.settings.username = known.username
    context.client.forget_tokens()
    forget_login(context.settings.endpoint, known.username)
    context.note(f"forgot session and password of {known.username} at {context.settings.endpoint}")
