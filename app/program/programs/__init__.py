"""Programs: what is offered, where links may lead, active or paused."""
