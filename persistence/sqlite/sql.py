"""The SQL of the hot path and of reading, in named blocks.

Everything else that a journal says to SQLite stands where it is said.
"""

MIGRATION_SET = "statemachine"
MIGRATIONS = (
    "m001_tables",
    "m002_views",
    "m003_gone",
    "m004_trace",
    "m005_hold",
    "m006_cache",
    "m007_saved",
    "m008_items",
    "m009_notice",
    "m010_ended",
    "m011_cache_until",
    "m012_digest",
)
"""The schema this package knows, in order; `persistence.sqlite.schema` makes it.

A file with more is a later version's.
"""

# ------------------------------------------------------------------------------------------------------------ the owner

EPOCH = "SELECT epoch, owner FROM statemachine_owner"

BUMP_EPOCH = "UPDATE statemachine_owner SET epoch = epoch + 1, owner = ?"

# What a failed commit has left behind the end of the log could be found by a recovery and taken for committed. The next
# commit is written over it; this is one that changes nothing else, so that what is read afterwards stays true.
SETTLE = "UPDATE statemachine_owner SET settled = settled + 1"

# ---------------------------------------------------------------------------------------------------------- transitions

INSERT_RUN = """
INSERT INTO statemachine_run (version, definition, status, states, seq, over, busy, due, incidents, paused, held,
                              updated, snapshot, run, workflow, started, input, tags)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run) DO NOTHING
"""

# An UPDATE rewrites the index entries of each column that it names, changed or not. Most transitions change no
# indexed column, so this one names none and asks in its WHERE that they are as they were; measured: a third less
# written for each transition than by naming all. Where it finds no row, UPDATE_RUN_WHOLE decides.
UPDATE_RUN = """
UPDATE statemachine_run SET version = ?, definition = ?, states = ?, seq = ?, updated = ?, snapshot = ?
WHERE id = ? AND run = ? AND seq = ? AND workflow = ? AND status = ? AND over = ? AND busy = ? AND due IS ?
  AND incidents = ? AND paused = ? AND held = ?
"""

# The same where the owner knows by its own last commit what stands in those columns: to ask again for each of them is a
# quarter of what the statement costs.
UPDATE_RUN_KNOWN = """
UPDATE statemachine_run SET version = ?, definition = ?, states = ?, seq = ?, updated = ?, snapshot = ?
WHERE id = ? AND seq = ?
"""

UPDATE_RUN_WHOLE = """
UPDATE statemachine_run
SET version = ?, definition = ?, status = ?, states = ?, seq = ?, over = ?, busy = ?, due = ?, incidents = ?,
    paused = ?, held = ?, updated = ?, snapshot = ?
WHERE id = ? AND run = ? AND seq = ? AND workflow = ?
"""

# A workflow that was renamed takes its runs along as they are moved; seldom, so apart from what is frequent.
RENAME_WORKFLOW = "UPDATE statemachine_run SET workflow = ? WHERE id = ? AND run = ? AND seq = ?"

RUN_ID = "SELECT id FROM statemachine_run WHERE run = ?"

RUN_SEQ = "SELECT seq FROM statemachine_run WHERE run = ?"

INSERT_TAG = """
INSERT INTO statemachine_tag (name, value, started, run_id)
VALUES (?, ?, ?, ?)
"""

INSERT_ENTRY = """
INSERT INTO statemachine_entry (run_id, seq, at, kind, name, event_id, actor, reason, definition, states, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

INSERT_SEEN = """
INSERT INTO statemachine_seen (run_id, id, seq, verdict, digest)
VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING
"""

ANSWER = "UPDATE statemachine_inbox SET verdict = ?, answer = ? WHERE number = ? AND verdict = ''"

# As the partial index has it, so that SQLite sees that it applies. The verdicts are those of REFUSALS.
PUT_ONCE = "verdict <> 'failed' AND verdict <> 'refused' AND kind <> 'sent'"

# Not ON CONFLICT DO NOTHING: that would use up a number, and so write, for each message sent again.
INSERT_MESSAGE = f"""
INSERT INTO statemachine_inbox (run, id, kind, name, body, at, actor, reason, trace)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9
WHERE NOT EXISTS (SELECT 1 FROM statemachine_inbox WHERE run = ?1 AND id = ?2 AND kind = ?3 AND {PUT_ONCE})
"""

BEGIN_ATTEMPT = "INSERT OR REPLACE INTO statemachine_attempt (run, visit, step, epoch, crashes) VALUES (?, ?, ?, ?, ?)"

END_ATTEMPT = "DELETE FROM statemachine_attempt WHERE run = ? AND visit = ?"

SAVE = """
INSERT INTO statemachine_saved (run, visit, at, value) VALUES (?, ?, ?, ?)
ON CONFLICT (run, visit) DO UPDATE SET at = excluded.at, value = excluded.value
"""

DROP_SAVED = "DELETE FROM statemachine_saved WHERE run = ? AND visit = ?"

PUT_FAN = """
INSERT INTO statemachine_fan (run_id, visit, step, total, most) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (run_id, visit) DO UPDATE SET step = excluded.step, total = excluded.total, most = excluded.most
"""

INSERT_GIVEN = "INSERT INTO statemachine_given (run_id, visit, first, items) VALUES (?, ?, ?, ?)"

PUT_ITEM = """
INSERT INTO statemachine_item (run_id, visit, back, number, state, attempts, crashes, due, at, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run_id, visit, back, number) DO UPDATE
SET state = excluded.state, attempts = excluded.attempts, crashes = excluded.crashes, due = excluded.due,
    at = excluded.at, body = excluded.body
"""

# Runs that are as they should be are not written: at each start that would be all that wait.
HOLD = """
UPDATE statemachine_run SET held = ?1
WHERE over = 0 AND workflow = ?2 AND definition = ?3 AND states = ?4 AND held <> ?1
"""

# Runs whose active states are no array of texts: no journal wrote them so.
HOLD_UNREADABLE = """
UPDATE statemachine_run SET held = ?1
WHERE over = 0 AND workflow = ?2 AND definition = ?3 AND held <> ?1
  AND CASE WHEN json_valid(states) THEN json_type(states) <> 'array' ELSE 1 END
"""

# Apart, and by the index of held runs: there are few.
RELEASE = """
UPDATE statemachine_run INDEXED BY statemachine_run_held SET held = ''
WHERE over = 0 AND workflow = ? AND definition = ? AND states = ? AND held <> ''
"""

# -------------------------------------------------------------------------------------------------------------- holding

# Of the runs that may have work under way, by their own indexes: see HoldRecord.at.
HOLD_WORK = """
INSERT INTO statemachine_hold (workflow, step, reason, actor, at)
VALUES (?, ?, ?, ?, max(?,
    coalesce((SELECT max(updated) FROM statemachine_run WHERE busy = 1 AND over = 0 AND held = ''), 0),
    coalesce((SELECT max(updated) FROM statemachine_run WHERE held <> '' AND over = 0), 0)))
ON CONFLICT (workflow, step) DO UPDATE SET reason = excluded.reason, actor = excluded.actor
"""

RELEASE_WORK = "DELETE FROM statemachine_hold WHERE workflow = ? AND step = ?"

HOLDS = "SELECT workflow, step, reason, actor, at FROM statemachine_hold ORDER BY workflow, step"

# -------------------------------------------------------------------------------------------------------------- notices

INSERT_NOTICE = "INSERT INTO statemachine_notice (run, kind, at, body) VALUES (?, ?, ?, ?)"

DELIVERED = "DELETE FROM statemachine_notice WHERE number = ?"

NOTICES = "SELECT number, run, kind, at, body FROM statemachine_notice WHERE number > ? ORDER BY number LIMIT ?"

UNWANT = "DELETE FROM statemachine_wanted"

WANT = "INSERT INTO statemachine_wanted (kind) VALUES (?)"

WANTED = "SELECT kind FROM statemachine_wanted"

# -------------------------------------------------------------------------------------------------------------- pruning

# Entries are numbered on from the last, so the run that has the last one stays: a number is never given twice.
PRUNABLE = """
over = 1 AND updated < ? AND id <> (SELECT run_id FROM statemachine_entry ORDER BY id DESC LIMIT 1)
"""

_GOING = f"(SELECT id FROM statemachine_run WHERE {PRUNABLE})"
_GOING_BY_NAME = f"(SELECT run FROM statemachine_run WHERE {PRUNABLE})"

PRUNED = (
    f"SELECT COUNT(*) FROM statemachine_run WHERE {PRUNABLE}",
    f"SELECT COUNT(*) FROM statemachine_entry WHERE run_id IN {_GOING}",
    f"SELECT COUNT(*) FROM statemachine_inbox WHERE verdict <> '' AND run IN {_GOING_BY_NAME}",
    f"SELECT COUNT(*) FROM statemachine_seen WHERE run_id IN {_GOING}",
    "SELECT COUNT(*) FROM statemachine_gone WHERE until < ?",
    "SELECT COUNT(*) FROM statemachine_cache WHERE until < ?",
    f"SELECT COUNT(*) FROM statemachine_item WHERE run_id IN {_GOING}",
)

ENDED = "SELECT updated FROM statemachine_run WHERE over = 1 AND updated < ? ORDER BY updated LIMIT ?"

REMEMBER = f"""
INSERT OR REPLACE INTO statemachine_gone (run, id, seq, verdict, until, digest)
SELECT r.run, s.id, s.seq, s.verdict, ?, s.digest
FROM statemachine_seen AS s JOIN statemachine_run AS r ON r.id = s.run_id
WHERE r.id IN {_GOING}
"""

PRUNE = (
    "DELETE FROM statemachine_gone WHERE until < ?",
    "DELETE FROM statemachine_cache WHERE until < ?",
    f"DELETE FROM statemachine_seen WHERE run_id IN {_GOING}",
    f"DELETE FROM statemachine_tag WHERE run_id IN {_GOING}",
    f"DELETE FROM statemachine_inbox WHERE verdict <> '' AND run IN {_GOING_BY_NAME}",
    f"DELETE FROM statemachine_saved WHERE run IN {_GOING_BY_NAME}",
    f"DELETE FROM statemachine_item WHERE run_id IN {_GOING}",
    f"DELETE FROM statemachine_given WHERE run_id IN {_GOING}",
    f"DELETE FROM statemachine_fan WHERE run_id IN {_GOING}",
    f"DELETE FROM statemachine_entry WHERE run_id IN {_GOING}",
    f"DELETE FROM statemachine_run WHERE {PRUNABLE}",
)

# -------------------------------------------------------------------------------------------------------------- reading

RUN_COLUMNS = """r.run, r.workflow, r.version, r.definition, r.status, CAST(r.states AS BLOB), r.seq, r.over, r.busy,
       r.due, r.incidents, r.paused, r.held, r.started, r.updated, r.input, CAST(r.tags AS BLOB)"""

RUN = f"SELECT {RUN_COLUMNS}, r.snapshot FROM statemachine_run AS r WHERE r.run = ?"

ENTRIES = """
SELECT seq, at, kind, name, event_id, actor, reason, definition, states, body FROM statemachine_entry
WHERE run_id = (SELECT id FROM statemachine_run WHERE run = ?) AND seq > ?
ORDER BY seq LIMIT ?
"""

LOG = """
SELECT e.seq, e.at, e.kind, e.name, e.event_id, e.actor, e.reason, e.definition, e.states, e.body, e.id, r.run
FROM statemachine_entry AS e JOIN statemachine_run AS r ON r.id = e.run_id
WHERE e.id > ? ORDER BY e.id LIMIT ?
"""

LAST_ENTRIES = """
SELECT e.seq, e.at, e.kind, e.name, e.event_id, e.actor, e.reason, e.definition, e.states, e.body, e.id, r.run
FROM statemachine_entry AS e JOIN statemachine_run AS r ON r.id = e.run_id
ORDER BY e.id DESC LIMIT ?
"""

SEEN = """
SELECT seq, verdict, digest FROM statemachine_seen
WHERE run_id = (SELECT id FROM statemachine_run WHERE run = ?1) AND id = ?2
UNION ALL SELECT seq, verdict, digest FROM statemachine_gone WHERE run = ?1 AND id = ?2
LIMIT 1
"""

NOT_HELD = """workflow NOT IN (SELECT workflow FROM statemachine_hold WHERE step = '')
  AND NOT EXISTS (SELECT 1 FROM statemachine_hold WHERE workflow = '' AND step = '')"""

DUE = f"""
SELECT due, run FROM statemachine_run
WHERE due IS NOT NULL AND over = 0 AND paused = 0 AND held = '' AND due <= ? AND {NOT_HELD}
ORDER BY due, run LIMIT ?
"""

NEXT_DUE = f"""
SELECT due FROM statemachine_run
WHERE due IS NOT NULL AND over = 0 AND paused = 0 AND held = '' AND {NOT_HELD}
ORDER BY due LIMIT 1
"""

BUSY = f"""
SELECT {RUN_COLUMNS}, r.snapshot FROM statemachine_run AS r
WHERE r.busy = 1 AND r.over = 0 AND r.held = '' AND r.run > ?
ORDER BY r.run LIMIT ?
"""

_OF_RUN = "run_id = (SELECT id FROM statemachine_run WHERE run = ?)"

FAN = f"SELECT step, total, most FROM statemachine_fan WHERE {_OF_RUN} AND visit = ?"

FANS = f"SELECT visit, step, total, most FROM statemachine_fan WHERE {_OF_RUN} ORDER BY visit"

ITEM_STATES = f"""
SELECT back, state, COUNT(*) FROM statemachine_item WHERE {_OF_RUN} AND visit = ? GROUP BY back, state
"""

GIVEN = f"""
SELECT first, items FROM statemachine_given WHERE {_OF_RUN} AND visit = ? AND first <= ? ORDER BY first DESC LIMIT 1
"""

ITEMS = f"""
SELECT number, state, attempts, crashes, due, at, body FROM statemachine_item
WHERE {_OF_RUN} AND visit = ? AND back = ? AND number > ? ORDER BY number LIMIT ?
"""

ITEMS_WITHOUT_BODIES = ITEMS.replace("at, body", "at, x''")

ATTEMPTS = "SELECT run, visit, step, epoch, crashes FROM statemachine_attempt ORDER BY run, visit"

SAVED = "SELECT at, value FROM statemachine_saved WHERE run = ? AND visit = ?"

SAVES = "SELECT run, visit FROM statemachine_saved ORDER BY run, visit"

MESSAGE_COLUMNS = "number, run, id, kind, name, body, at, actor, reason, verdict, answer, trace"

MESSAGE = f"SELECT {MESSAGE_COLUMNS} FROM statemachine_inbox WHERE number = ?"

MESSAGE_BY_ID = f"SELECT {MESSAGE_COLUMNS} FROM statemachine_inbox WHERE run = ? AND id = ? AND kind = ? AND {PUT_ONCE}"

INBOX = f"SELECT {MESSAGE_COLUMNS} FROM statemachine_inbox WHERE verdict = '' AND number > ? ORDER BY number LIMIT ?"

# States as bytes: what is no text must not keep the others from being read.
LIVE = """
SELECT workflow, definition, CAST(states AS BLOB), COUNT(*), MIN(updated) FROM statemachine_run
WHERE over = 0
GROUP BY workflow, definition, states
ORDER BY workflow, definition, states
"""
