"""The command line, `python -m app …`; `--help` lists the commands."""

import argparse
import sys
from typing import Final

from pydantic import ValidationError

from app.claims import CannotServeError
from app.db.server_user import EmbeddedPostgresError
from app.secret_keys import SecretKeyError
from app.settings import Settings

_EXPECTED: Final = (CannotServeError, EmbeddedPostgresError, SecretKeyError)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m app", description="Finderfee")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="run the service until Ctrl-C")
    serve.add_argument("--demo", action="store_true", help="add demo data to an empty database")
    serve.add_argument("--role", choices=("all", "redirect", "api", "worker"), default="all")
    serve.add_argument("--workers", type=_count, default=1, metavar="N", help="web processes")
    commands.add_parser("migrate", help="bring the database up to this release")
    commands.add_parser("verify", help="recompute every decision and every balance")
    explain = commands.add_parser("explain", help="say why a commission is what it is")
    explain.add_argument("commission", metavar="com_…")
    key = commands.add_parser("key", help="make an admin key and print it, once")
    key.add_argument("--workspace", metavar="ws_…", help="the first workspace if left out")
    key.add_argument("--name", required=True, help="what lists of keys show")
    commands.add_parser("openapi", help="print openapi.yaml")
    given = parser.parse_args()
    try:
        return _run(given)
    except _EXPECTED as error:
        print(f"finderfee: {error}", file=sys.stderr)
        return 1
    except ValidationError as error:
        for found in error.errors():
            name = "_".join(str(part) for part in found["loc"]).upper()
            print(f"finderfee: setting {name}: {found['msg']}", file=sys.stderr)
        return 1


def _run(given: argparse.Namespace) -> int:
    # Imported here: the parent process stays small, and `--help` is quick.
    if given.command == "serve":
        from app.serve import Options, serve  # noqa: PLC0415 (see above)

        serve(Settings(), Options(given.role, given.workers, given.demo))
        return 0
    from app import commands  # noqa: PLC0415 (see above)

    match given.command:
        case "migrate":
            return commands.migrate(Settings())
        case "verify":
            return commands.verify(Settings())
        case "explain":
            return commands.explain(Settings(), given.commission)
        case "key":
            return commands.key(Settings(), name=given.name, workspace=given.workspace)
        case _:
            return commands.print_openapi()


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 64:
        raise argparse.ArgumentTypeError("1 to 64")
    return number


if __name__ == "__main__":
    sys.exit(main())
