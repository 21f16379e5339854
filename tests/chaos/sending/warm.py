"""Loaded by the server that sending processes are forked from: what each of them would compute anew is there when it is born."""

from sqlalchemy.orm import configure_mappers

from connector.messages.reminder import compose_reminder, sample_content

configure_mappers()
compose_reminder(sample_content("fr"))
