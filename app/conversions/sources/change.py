"""Make and change a source: its secrets are sealed on the way in and never come out."""

from typing import Annotated, Any, Final
from uuid import UUID

import orjson
from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError
from sqlalchemy import insert, select, update

from app.conversions.providers.registry import PROVIDERS
from app.conversions.sources.listing import LISTS
from app.db.tables import Program, Source, Workspace
from app.db.tx import Tx
from app.errors import Conflict, FieldError, InvalidRequest, NotFound
from app.ids import encode, uuid7
from app.secret_keys import SecretKeys
from app.wire import In, ProgramId

Secret = Annotated[str, StringConstraints(min_length=16, max_length=500)]
Secrets = Annotated[list[Secret], Field(min_length=1, max_length=5, examples=[["whsec_…"]])]
Programs = Annotated[list[ProgramId], Field(max_length=100)]
_WITH_TAX: Final = "Work commissions out on amounts with their tax; from the next message on."
_API_KEY: Final = (
    "A restricted key that may read events: then the worker lists them each hour and fills holes."
    " Stripe only."
)


def _known_provider(value: str) -> str:
    if value not in PROVIDERS:
        raise PydanticCustomError("literal_error", "Not a provider that we know")
    return value


ProviderName = Annotated[
    str,
    AfterValidator(_known_provider),
    WithJsonSchema({"type": "string", "enum": sorted(PROVIDERS), "examples": ["stripe"]}),
]


class SourceCreate(In):
    """signing_secrets: several while one is being rolled. program_ids: only these may earn."""

    provider: ProviderName
    signing_secrets: Secrets
    program_ids: Programs = []  # noqa: RUF012 (pydantic)
    with_tax: Annotated[bool, Field(strict=True, description=_WITH_TAX)] = False
    api_key: Annotated[Secret | None, Field(description=_API_KEY, examples=["rk_live_…"])] = None


class SourceUpdate(In):
    """What is absent stays. signing_secrets: all that count from now on. api_key: null forgets it.

    To roll a secret: send the old and the new one, change it at the provider, send the new one.
    """

    signing_secrets: Secrets = []  # noqa: RUF012 (pydantic)
    program_ids: Programs = []  # noqa: RUF012 (pydantic)
    with_tax: Annotated[bool, Field(strict=True, description=_WITH_TAX)] = False
    api_key: Annotated[Secret | None, Field(description=_API_KEY, examples=["rk_live_…"])] = None


async def create(tx: Tx, workspace: UUID, new: SourceCreate, keys: SecretKeys) -> UUID:
    """Store a source; InvalidRequest if a secret can't be one, NotFound for a program, Conflict for
    a second site of a provider whose ids don't tell sites apart.
    """
    source = uuid7()
    values = await _values(tx, workspace, new.provider, new.model_dump(), keys, source)
    if PROVIDERS[new.provider].per_site:
        await _refuse_second_site(tx, workspace, new.provider)
    del values["provider"]
    await tx.execute(
        insert(Source).values(id=source, workspace_id=workspace, provider=new.provider, **values)
    )
    return source


async def change(
    tx: Tx, workspace: UUID, source: UUID, wanted: SourceUpdate, keys: SecretKeys
) -> None:
    """Change what is given; as `create` in what it refuses, NotFound for the source too."""
    provider = await tx.scalar(
        select(Source.provider)
        .where(Source.workspace_id == workspace, Source.id == source, Source.archived_at.is_(None))
        .with_for_update()
    )
    if provider is None:
        raise NotFound
    given = wanted.model_dump(exclude_unset=True)
    values = await _values(tx, workspace, provider, given, keys, source)
    if values:
        await tx.execute(
            update(Source)
            .where(Source.workspace_id == workspace, Source.id == source)
            .values(**values)
        )


async def _values(
    tx: Tx,
    workspace: UUID,
    provider: str,
    given: dict[str, Any],
    keys: SecretKeys,
    source: UUID,
) -> dict[str, Any]:
    """Columns of what is given, its secrets sealed for the source."""
    _refuse_bad_secrets(provider, given)
    await _refuse_unknown_programs(tx, workspace, given.get("program_ids", []))
    values = dict(given)
    if "signing_secrets" in values:
        secrets = orjson.dumps(values.pop("signing_secrets"))
        values["sealed_secrets"] = keys.seal(secrets, owner=source.bytes)
    if "api_key" in values:
        key = values.pop("api_key")
        # Sealed for another owner than the secrets, so that one can't be put in the other's place.
        owner = api_key_owner(source)
        values["sealed_api_key"] = None if key is None else keys.seal(key.encode(), owner=owner)
    return values


def api_key_owner(source: UUID) -> bytes:
    """What a source's API key is sealed for."""
    return source.bytes + b" api key"


def _refuse_bad_secrets(provider: str, given: dict[str, Any]) -> None:
    known = PROVIDERS[provider]
    errors = [
        FieldError(f"body/signing_secrets/{n}", "Not a signing secret", known.secret_form)
        for n, secret in enumerate(given.get("signing_secrets", []))
        if not known.is_secret(secret)
    ]
    if (key := given.get("api_key")) is not None:
        lists = LISTS.get(provider)
        if lists is None:
            remedy = "Leave it out; this provider's events can't be listed."
            errors.append(FieldError("body/api_key", "Nothing would be done with it", remedy))
        elif not lists.is_key(key):
            errors.append(FieldError("body/api_key", "Not an API key", lists.key_form))
    if errors:
        raise InvalidRequest(errors=errors)


async def _refuse_second_site(tx: Tx, workspace: UUID, provider: str) -> None:
    # One at a time in a workspace: of two at once, the second finds the first.
    await tx.execute(
        select(Workspace.id).where(Workspace.id == workspace).with_for_update(key_share=True)
    )
    there = await tx.scalar(
        select(Source.id)
        .where(
            Source.workspace_id == workspace,
            Source.provider == provider,
            Source.archived_at.is_(None),
        )
        .limit(1)
    )
    if there is not None:
        raise Conflict(
            f"{encode('src', there)} is there: two sites of {provider.title()} number their"
            " invoices alike, and one workspace could not tell them apart. For a new password,"
            " PATCH that source; for another site, use another workspace."
        )


async def _refuse_unknown_programs(tx: Tx, workspace: UUID, programs: list[UUID]) -> None:
    found = await tx.all(
        select(Program.id).where(Program.workspace_id == workspace, Program.id.in_(programs))
    )
    known = {row.id for row in found}
    unknown = [n for n, program in enumerate(programs) if program not in known]
    if unknown:
        raise NotFound(
            errors=[FieldError(f"body/program_ids/{n}", "No such program here") for n in unknown]
        )
