"""What each process would compute anew is there when it is born: load this where processes are forked from."""

from sqlalchemy.orm import configure_mappers

from connector.messages.offer_mail import compose_offer, sample_offer
from connector.messages.reminder import compose_reminder, sample_content

configure_mappers()
compose_reminder(sample_content("fr"))
compose_offer(sample_offer("fr"))
