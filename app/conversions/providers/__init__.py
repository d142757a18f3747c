"""Payload → our Event, one provider a file: pure, so a stored body can be read again any day."""
