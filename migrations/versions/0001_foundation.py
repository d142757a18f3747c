"""foundation"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "agents",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("digest", sa.Uuid(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agents")),
    )
    op.create_index("uq_agents_digest", "agents", ["digest"], unique=True)
    op.create_table(
        "clicks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("link_id", sa.Uuid(), nullable=False),
        sa.Column("agent_id", sa.Integer(), nullable=True),
        sa.Column("referrer_id", sa.Integer(), nullable=True),
        sa.Column("traffic_class", sa.SmallInteger(), nullable=False),
        sa.Column("recovered", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clicks")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_table(
        "customer_names",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=True),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(namespace IS NULL) = (external_id IS NULL)", name=op.f("ck_customer_names_alias")
        ),
        sa.PrimaryKeyConstraint("workspace_id", "name", name=op.f("pk_customer_names")),
    )
    op.create_index(
        "ix_customer_names_customer",
        "customer_names",
        ["workspace_id", "customer_id"],
        unique=False,
    )
    op.create_table(
        "enrollment_states",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('active', 'suspended')", name=op.f("ck_enrollment_states_state")
        ),
        sa.PrimaryKeyConstraint(
            "workspace_id", "program_id", "partner_id", "since", name=op.f("pk_enrollment_states")
        ),
    )
    op.create_table(
        "event_bodies",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("body", postgresql.BYTEA(), nullable=False),
        sa.Column(
            "contact", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.PrimaryKeyConstraint("workspace_id", "event_id", name=op.f("pk_event_bodies")),
    )
    op.create_table(
        "events",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column(
            "mapped", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column(
            "reasons", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column("waits_for", postgresql.ARRAY(sa.TEXT()), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("conversion_id", sa.Uuid(), nullable=True),
        sa.Column("decision_no", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column(
            "next_attempt_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("conflicts", sa.BigInteger(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('received', 'applied', 'parked', 'ignored', 'dead')",
            name=op.f("ck_events_state"),
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_events")),
        sa.UniqueConstraint(
            "workspace_id",
            "source",
            "external_id",
            name=op.f("uq_events_workspace_id_source_external_id"),
        ),
    )
    op.create_index("ix_events_customer", "events", ["workspace_id", "customer_id"], unique=False)
    op.create_index(
        "ix_events_received_at", "events", ["workspace_id", "received_at", "id"], unique=False
    )
    op.create_index(
        "ix_events_waiting",
        "events",
        ["workspace_id", "received_at"],
        unique=False,
        postgresql_where=sa.text("state = 'received'"),
    )
    op.create_index(
        "ix_events_waits_for",
        "events",
        ["waits_for"],
        unique=False,
        postgresql_using="gin",
        postgresql_where=sa.text("state = 'parked'"),
    )
    op.create_table(
        "link_changes",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("link_id", sa.Uuid(), nullable=False),
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_link_changes")),
    )
    op.create_index("ix_link_changes_changed_at", "link_changes", ["changed_at"], unique=False)
    op.create_table(
        "link_clicks",
        sa.Column("link_id", sa.Uuid(), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("traffic_class", sa.SmallInteger(), nullable=False),
        sa.Column("clicks", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("link_id", "on_day", "traffic_class", name=op.f("pk_link_clicks")),
    )
    op.create_table(
        "quarantined_clicks",
        sa.Column("click_id", sa.Uuid(), nullable=False),
        sa.Column("row", postgresql.BYTEA(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column(
            "quarantined_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("click_id", name=op.f("pk_quarantined_clicks")),
    )
    op.create_table(
        "referrers",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("digest", sa.Uuid(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referrers")),
    )
    op.create_index("uq_referrers_digest", "referrers", ["digest"], unique=True)
    op.create_table(
        "touches",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("click_id", sa.Uuid(), nullable=False),
        sa.Column("link_id", sa.Uuid(), nullable=False),
        sa.Column("traffic_class", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "event_id", "click_id", name=op.f("pk_touches")),
    )
    op.create_index("ix_touches_click_id", "touches", ["click_id"], unique=False)
    op.create_table(
        "workspaces",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("first", sa.Boolean(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("mode IN ('live', 'test')", name=op.f("ck_workspaces_mode")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workspaces")),
    )
    op.create_table(
        "accounts",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", sa.Uuid(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("debits", sa.Numeric(), nullable=False),
        sa.Column("credits", sa.Numeric(), nullable=False),
        sa.CheckConstraint(
            "(role = 'expense') = (partner_id IS NULL)", name=op.f("ck_accounts_partner")
        ),
        sa.CheckConstraint(
            "role IN ('expense', 'pending', 'held', 'payable', 'in_flight', 'paid')",
            name=op.f("ck_accounts_role"),
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_accounts_workspace_id")
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_accounts")),
    )
    op.create_index("ix_accounts_partner", "accounts", ["workspace_id", "partner_id"], unique=False)
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("digest", postgresql.BYTEA(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.TEXT()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_api_keys_workspace_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
    )
    op.create_index(
        "ix_api_keys_workspace_id_created_at",
        "api_keys",
        ["workspace_id", "created_at", "id"],
        unique=False,
    )
    op.create_index("uq_api_keys_digest", "api_keys", ["digest"], unique=True)
    op.create_table(
        "commissions",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("conversion_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("plan_version_id", sa.Uuid(), nullable=False),
        sa.Column("plan_version", sa.BigInteger(), nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("base", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("reversed", sa.BigInteger(), nullable=False),
        sa.Column("paid", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("rate_bps", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("hold_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("matured_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("superseded", sa.Boolean(), nullable=False),
        sa.Column(
            "explanation",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
        ),
        sa.Column("transfers", sa.BigInteger(), nullable=False),
        sa.Column("decision_no", sa.BigInteger(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status IN ('pending', 'held', 'payable', 'paid', 'void')",
            name=op.f("ck_commissions_status"),
        ),
        sa.CheckConstraint(
            "amount >= 0 AND reversed BETWEEN 0 AND amount", name=op.f("ck_commissions_reversed")
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_commissions_workspace_id")
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_commissions")),
    )
    op.create_index(
        "ix_commissions_conversion", "commissions", ["workspace_id", "conversion_id"], unique=False
    )
    op.create_index(
        "ix_commissions_maturing",
        "commissions",
        ["hold_until"],
        unique=False,
        postgresql_where="status = 'pending'",
    )
    op.create_index(
        "ix_commissions_partner",
        "commissions",
        ["workspace_id", "partner_id", "recorded_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_commissions_recorded_at",
        "commissions",
        ["workspace_id", "recorded_at", "id"],
        unique=False,
    )
    op.create_table(
        "conversions",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("is_new", sa.Boolean(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("gross", sa.BigInteger(), nullable=False),
        sa.Column("base", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("refunded", sa.BigInteger(), nullable=False),
        sa.Column("subscription", sa.Text(), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=True),
        sa.Column(
            "credits", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column(
            "reasons", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column("bound_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hold_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("superseded_by", sa.Uuid(), nullable=True),
        sa.Column("decision_no", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('lead', 'sale', 'renewal')", name=op.f("ck_conversions_kind")),
        sa.CheckConstraint("refunded BETWEEN 0 AND gross", name=op.f("ck_conversions_refunded")),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_conversions_workspace_id")
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_conversions")),
        sa.UniqueConstraint("workspace_id", "key", name=op.f("uq_conversions_workspace_id_key")),
    )
    op.create_index(
        "ix_conversions_customer", "conversions", ["workspace_id", "customer_id"], unique=False
    )
    op.create_index(
        "ix_conversions_recorded_at",
        "conversions",
        ["workspace_id", "recorded_at", "id"],
        unique=False,
    )
    op.create_table(
        "customers",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("merged_into", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_customers_workspace_id")
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_customers")),
    )
    op.create_index(
        "ix_customers_workspace_id_created_at",
        "customers",
        ["workspace_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "decisions",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("decision_no", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("engine", sa.BigInteger(), nullable=False),
        sa.Column(
            "facts", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column("outcome", postgresql.BYTEA(), nullable=False),
        sa.Column("hash", postgresql.BYTEA(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_decisions_workspace_id")
        ),
        sa.PrimaryKeyConstraint("workspace_id", "decision_no", name=op.f("pk_decisions")),
    )
    op.create_index(
        "ix_decisions_customer", "decisions", ["workspace_id", "customer_id"], unique=False
    )
    op.create_table(
        "lanes",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("decision_no", sa.BigInteger(), nullable=False),
        sa.Column("transfer_no", sa.BigInteger(), nullable=False),
        sa.Column("chain_hash", postgresql.BYTEA(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_lanes_workspace_id")
        ),
        sa.PrimaryKeyConstraint("workspace_id", name=op.f("pk_lanes")),
    )
    op.create_table(
        "partners",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_partners_workspace_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partners")),
    )
    op.create_index(
        "ix_partners_workspace_id_created_at",
        "partners",
        ["workspace_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "uq_partners_workspace_id_external_id",
        "partners",
        ["workspace_id", "external_id"],
        unique=True,
        postgresql_where="external_id IS NOT NULL",
    )
    op.create_table(
        "programs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("destination_hosts", postgresql.ARRAY(sa.TEXT()), nullable=False),
        sa.Column("default_destination", sa.Text(), nullable=False),
        sa.Column("click_parameter", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_programs_workspace_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_programs")),
    )
    op.create_index(
        "ix_programs_workspace_id_created_at",
        "programs",
        ["workspace_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "sources",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("sealed_secrets", postgresql.BYTEA(), nullable=False),
        sa.Column("program_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_sources_workspace_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sources")),
    )
    op.create_index(
        "ix_sources_workspace_id_created_at",
        "sources",
        ["workspace_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "transfers",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.Column("debit_account", sa.Uuid(), nullable=False),
        sa.Column("credit_account", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("commission_id", sa.Uuid(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_transfers_amount")),
        sa.CheckConstraint("debit_account <> credit_account", name=op.f("ck_transfers_accounts")),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_transfers_workspace_id")
        ),
        sa.PrimaryKeyConstraint("workspace_id", "number", name=op.f("pk_transfers")),
        sa.UniqueConstraint("workspace_id", "key", name=op.f("uq_transfers_workspace_id_key")),
    )
    op.create_index(
        "ix_transfers_commission", "transfers", ["workspace_id", "commission_id"], unique=False
    )
    op.create_table(
        "enrollments",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("recruited_by", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["partners.id"], name=op.f("fk_enrollments_partner_id")
        ),
        sa.ForeignKeyConstraint(
            ["program_id"], ["programs.id"], name=op.f("fk_enrollments_program_id")
        ),
        sa.ForeignKeyConstraint(
            ["recruited_by"], ["partners.id"], name=op.f("fk_enrollments_recruited_by")
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_enrollments_workspace_id")
        ),
        sa.PrimaryKeyConstraint(
            "workspace_id", "program_id", "partner_id", name=op.f("pk_enrollments")
        ),
    )
    op.create_table(
        "links",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("click_parameter", sa.Text(), nullable=False),
        sa.Column("fallback", sa.Text(), nullable=True),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column(
            "subs", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_links_partner_id")),
        sa.ForeignKeyConstraint(["program_id"], ["programs.id"], name=op.f("fk_links_program_id")),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_links_workspace_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_links")),
        sa.UniqueConstraint("host", "code", name=op.f("uq_links_host_code")),
    )
    op.create_index(
        "ix_links_workspace_id_created_at",
        "links",
        ["workspace_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_links_workspace_id_partner_id", "links", ["workspace_id", "partner_id"], unique=False
    )
    op.create_table(
        "partner_members",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["partners.id"], name=op.f("fk_partner_members_partner_id")
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_partner_members_workspace_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partner_members")),
    )
    op.create_index(
        "ix_partner_members_workspace_id_partner_id",
        "partner_members",
        ["workspace_id", "partner_id"],
        unique=False,
    )
    op.create_table(
        "plan_versions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column(
            "document", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column("effective_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["program_id"], ["programs.id"], name=op.f("fk_plan_versions_program_id")
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_plan_versions_workspace_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_versions")),
        sa.UniqueConstraint(
            "workspace_id",
            "program_id",
            "version",
            name=op.f("uq_plan_versions_workspace_id_program_id_version"),
        ),
    )
    op.create_index(
        "ix_plan_versions_workspace_id_created_at",
        "plan_versions",
        ["workspace_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "program_states",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.CheckConstraint("state IN ('active', 'paused')", name=op.f("ck_program_states_state")),
        sa.ForeignKeyConstraint(
            ["program_id"], ["programs.id"], name=op.f("fk_program_states_program_id")
        ),
        sa.PrimaryKeyConstraint(
            "workspace_id", "program_id", "since", name=op.f("pk_program_states")
        ),
    )


def downgrade() -> None:
    op.drop_table("program_states")
    op.drop_index("ix_plan_versions_workspace_id_created_at", table_name="plan_versions")
    op.drop_table("plan_versions")
    op.drop_index("ix_partner_members_workspace_id_partner_id", table_name="partner_members")
    op.drop_table("partner_members")
    op.drop_index("ix_links_workspace_id_partner_id", table_name="links")
    op.drop_index("ix_links_workspace_id_created_at", table_name="links")
    op.drop_table("links")
    op.drop_table("enrollments")
    op.drop_index("ix_transfers_commission", table_name="transfers")
    op.drop_table("transfers")
    op.drop_index("ix_sources_workspace_id_created_at", table_name="sources")
    op.drop_table("sources")
    op.drop_index("ix_programs_workspace_id_created_at", table_name="programs")
    op.drop_table("programs")
    op.drop_index(
        "uq_partners_workspace_id_external_id",
        table_name="partners",
        postgresql_where="external_id IS NOT NULL",
    )
    op.drop_index("ix_partners_workspace_id_created_at", table_name="partners")
    op.drop_table("partners")
    op.drop_table("lanes")
    op.drop_index("ix_decisions_customer", table_name="decisions")
    op.drop_table("decisions")
    op.drop_index("ix_customers_workspace_id_created_at", table_name="customers")
    op.drop_table("customers")
    op.drop_index("ix_conversions_recorded_at", table_name="conversions")
    op.drop_index("ix_conversions_customer", table_name="conversions")
    op.drop_table("conversions")
    op.drop_index("ix_commissions_recorded_at", table_name="commissions")
    op.drop_index("ix_commissions_partner", table_name="commissions")
    op.drop_index(
        "ix_commissions_maturing", table_name="commissions", postgresql_where="status = 'pending'"
    )
    op.drop_index("ix_commissions_conversion", table_name="commissions")
    op.drop_table("commissions")
    op.drop_index("uq_api_keys_digest", table_name="api_keys")
    op.drop_index("ix_api_keys_workspace_id_created_at", table_name="api_keys")
    op.drop_table("api_keys")
    op.drop_index("ix_accounts_partner", table_name="accounts")
    op.drop_table("accounts")
    op.drop_table("workspaces")
    op.drop_index("ix_touches_click_id", table_name="touches")
    op.drop_table("touches")
    op.drop_index("uq_referrers_digest", table_name="referrers")
    op.drop_table("referrers")
    op.drop_table("quarantined_clicks")
    op.drop_table("link_clicks")
    op.drop_index("ix_link_changes_changed_at", table_name="link_changes")
    op.drop_table("link_changes")
    op.drop_index(
        "ix_events_waits_for",
        table_name="events",
        postgresql_using="gin",
        postgresql_where=sa.text("state = 'parked'"),
    )
    op.drop_index(
        "ix_events_waiting", table_name="events", postgresql_where=sa.text("state = 'received'")
    )
    op.drop_index("ix_events_received_at", table_name="events")
    op.drop_index("ix_events_customer", table_name="events")
    op.drop_table("events")
    op.drop_table("event_bodies")
    op.drop_table("enrollment_states")
    op.drop_index("ix_customer_names_customer", table_name="customer_names")
    op.drop_table("customer_names")
    op.drop_table("clicks")
    op.drop_index("uq_agents_digest", table_name="agents")
    op.drop_table("agents")
