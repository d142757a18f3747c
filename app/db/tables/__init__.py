"""All tables, typed, one module a subject. Importing this package fills `Base.metadata`."""

from app.db.tables.backtests import Backtest, BacktestChange, BacktestPart, BacktestSum
from app.db.tables.base import Base
from app.db.tables.claims import Claim, ClaimStep, ClaimWords
from app.db.tables.clicks import (
    Agent,
    Click,
    ClickRetention,
    ImpressionWriter,
    LinkClicks,
    LinkImpressions,
    QuarantinedClick,
    Referrer,
    VisitorSalt,
)
from app.db.tables.customers import Conversion, Customer, CustomerName, Decision, TouchRow
from app.db.tables.deals import Deal, DealConflict, DealKey, DealProspect, DealState
from app.db.tables.domains import Domain
from app.db.tables.erasures import Erasure
from app.db.tables.heartbeats import Heartbeat
from app.db.tables.idempotency import IdempotencyKey
from app.db.tables.imports import Import, ImportProblem
from app.db.tables.inbox import (
    EventBody,
    EventConflict,
    EventReplay,
    EventRow,
    Reconciliation,
    Source,
)
from app.db.tables.ledger import Account, Commission, Transfer
from app.db.tables.links import Link, LinkChange
from app.db.tables.programs import (
    Enrollment,
    EnrollmentState,
    Partner,
    PartnerCompany,
    PartnerCountry,
    PartnerMember,
    PlanVersion,
    Program,
    ProgramState,
)
from app.db.tables.qualifications import PartnerQualification
from app.db.tables.referrals import (
    Code,
    CodeNews,
    CodeProviderId,
    CodeState,
    PartnerCustomer,
    ToldTouch,
)
from app.db.tables.tallies import TallyPeriod, TallyRow
from app.db.tables.workspaces import ApiKey, Lane, Workspace, WorkspacePrecedence

__all__ = [
    "Account",
    "Agent",
    "ApiKey",
    "Backtest",
    "BacktestChange",
    "BacktestPart",
    "BacktestSum",
    "Base",
    "Claim",
    "ClaimStep",
    "ClaimWords",
    "Click",
    "ClickRetention",
    "Code",
    "CodeNews",
    "CodeProviderId",
    "CodeState",
    "Commission",
    "Conversion",
    "Customer",
    "CustomerName",
    "Deal",
    "DealConflict",
    "DealKey",
    "DealProspect",
    "DealState",
    "Decision",
    "Domain",
    "Enrollment",
    "EnrollmentState",
    "Erasure",
    "EventBody",
    "EventConflict",
    "EventReplay",
    "EventRow",
    "Heartbeat",
    "IdempotencyKey",
    "Import",
    "ImportProblem",
    "ImpressionWriter",
    "Lane",
    "Link",
    "LinkChange",
    "LinkClicks",
    "LinkImpressions",
    "Partner",
    "PartnerCompany",
    "PartnerCountry",
    "PartnerCustomer",
    "PartnerMember",
    "PartnerQualification",
    "PlanVersion",
    "Program",
    "ProgramState",
    "QuarantinedClick",
    "Reconciliation",
    "Referrer",
    "Source",
    "TallyPeriod",
    "TallyRow",
    "ToldTouch",
    "TouchRow",
    "Transfer",
    "VisitorSalt",
    "Workspace",
    "WorkspacePrecedence",
]
