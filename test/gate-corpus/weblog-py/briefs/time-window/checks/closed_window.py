from datetime import datetime, timezone


def parse_moment(text):
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def within(records, since=None, until=None):
    return [
        record
        for record in records
        if (since is None or since <= record.moment) and (until is None or record.moment <= until)
    ]
