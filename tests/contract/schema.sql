CREATE TABLE statemachine_attempt (
        run TEXT NOT NULL,
        visit INTEGER NOT NULL,
        step TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        crashes INTEGER NOT NULL,
        PRIMARY KEY (run, visit)
    ) WITHOUT ROWID
    ;

CREATE TABLE statemachine_cache (                -- results of steps, for other runs to take
    shelf TEXT NOT NULL,                         -- whose bounds it counts for
    key TEXT NOT NULL,                           -- hash of what it was computed from, and by what
    number INTEGER NOT NULL,                     -- grows within its shelf
    below INTEGER NOT NULL,                      -- bytes that were put on its shelf before it
    run TEXT NOT NULL,
    visit INTEGER NOT NULL,
    at INTEGER NOT NULL,
    until INTEGER NOT NULL,
    value BLOB NOT NULL,                         -- JSON
    UNIQUE (shelf, key),
    UNIQUE (shelf, number)
);

CREATE INDEX statemachine_cache_run ON statemachine_cache (run);

CREATE INDEX statemachine_cache_until ON statemachine_cache (until);

CREATE TABLE statemachine_entry (
        id INTEGER PRIMARY KEY,
        run_id INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        at INTEGER NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        event_id TEXT NOT NULL,
        actor TEXT,
        reason TEXT,
        definition TEXT NOT NULL,
        states TEXT NOT NULL,
        body BLOB NOT NULL,                      -- JSON
        UNIQUE (run_id, seq)
    );

CREATE TABLE statemachine_fan (                  -- steps that are done once for each of many items
        run_id INTEGER NOT NULL,
        visit INTEGER NOT NULL,
        step TEXT NOT NULL,
        total INTEGER NOT NULL,
        most INTEGER NOT NULL,
        PRIMARY KEY (run_id, visit)
    ) WITHOUT ROWID
    ;

CREATE TABLE statemachine_given (                -- their items, many to a row, written when the visit begins
        id INTEGER PRIMARY KEY,
        run_id INTEGER NOT NULL,
        visit INTEGER NOT NULL,
        first INTEGER NOT NULL,
        items BLOB NOT NULL,                         -- JSON array
        UNIQUE (run_id, visit, first)
    );

CREATE TABLE statemachine_gone (                 -- event ids of runs that were pruned
    run TEXT NOT NULL,
    id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    until INTEGER NOT NULL, digest BLOB NOT NULL DEFAULT x'',
    PRIMARY KEY (run, id)
) WITHOUT ROWID
;

CREATE TABLE statemachine_hold (                 -- what a person holds back
    workflow TEXT NOT NULL,                      -- '' for every workflow
    step TEXT NOT NULL,                          -- '' for all of the workflow
    reason TEXT,
    actor TEXT,
    at INTEGER NOT NULL,
    PRIMARY KEY (workflow, step)
) WITHOUT ROWID
;

CREATE TABLE statemachine_inbox (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        run TEXT NOT NULL,
        id TEXT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        body BLOB NOT NULL,                      -- JSON
        at INTEGER NOT NULL,
        actor TEXT,
        reason TEXT,
        verdict TEXT NOT NULL DEFAULT '',
        answer BLOB NOT NULL DEFAULT x''
    , trace TEXT);

CREATE UNIQUE INDEX statemachine_inbox_id ON statemachine_inbox (run, id, kind)
    WHERE verdict <> 'failed' AND verdict <> 'refused' AND kind <> 'sent'
    ;

CREATE INDEX statemachine_inbox_waiting ON statemachine_inbox (number) WHERE verdict = '';

CREATE TABLE statemachine_item (                 -- what came of each
        id INTEGER PRIMARY KEY,
        run_id INTEGER NOT NULL,
        visit INTEGER NOT NULL,
        back INTEGER NOT NULL,                       -- 1: of its undo
        number INTEGER NOT NULL,
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        crashes INTEGER NOT NULL,
        due INTEGER,
        at INTEGER NOT NULL,
        body BLOB NOT NULL,                          -- JSON
        UNIQUE (run_id, visit, back, number)
    );

CREATE VIEW statemachine_log AS
    SELECT r.run, r.workflow, e.seq, strftime('%Y-%m-%dT%H:%M:%S', e.at / 1000000, 'unixepoch') || printf('.%06dZ', e.at % 1000000) AS at, e.kind, e.name, e.event_id, e.actor, e.reason,
           e.states, CAST(e.body AS TEXT) AS body, e.definition
    FROM statemachine_entry AS e JOIN statemachine_run AS r ON r.id = e.run_id;

CREATE TABLE statemachine_notice (               -- what a person is to be told of, until it was
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        run TEXT NOT NULL,
        kind TEXT NOT NULL,
        at INTEGER NOT NULL,
        body BLOB NOT NULL                           -- JSON
    );

CREATE VIEW statemachine_overview AS
    SELECT run, workflow, version, status, states, seq, over, busy, strftime('%Y-%m-%dT%H:%M:%S', due / 1000000, 'unixepoch') || printf('.%06dZ', due % 1000000) AS due, incidents, paused, held,
           strftime('%Y-%m-%dT%H:%M:%S', started / 1000000, 'unixepoch') || printf('.%06dZ', started % 1000000) AS started, strftime('%Y-%m-%dT%H:%M:%S', updated / 1000000, 'unixepoch') || printf('.%06dZ', updated % 1000000) AS updated, tags, definition, CAST(snapshot AS TEXT) AS snapshot
    FROM statemachine_run;

CREATE TABLE statemachine_owner (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        epoch INTEGER NOT NULL,                  -- grows by one with every claim; checked inside every commit
        owner TEXT NOT NULL,
        settled INTEGER NOT NULL                 -- grows when a commit has failed; see SETTLE
    );

CREATE TABLE statemachine_run (
        id INTEGER PRIMARY KEY,
        run TEXT NOT NULL UNIQUE,
        workflow TEXT NOT NULL,
        version INTEGER NOT NULL,
        definition TEXT NOT NULL,
        status TEXT NOT NULL,
        states TEXT NOT NULL,                    -- JSON array of the active leaves
        seq INTEGER NOT NULL,
        over INTEGER NOT NULL,
        busy INTEGER NOT NULL,
        due INTEGER,                             -- microseconds since 1970 UTC, as all times
        incidents INTEGER NOT NULL,
        paused INTEGER NOT NULL,
        held TEXT NOT NULL,
        started INTEGER NOT NULL,
        updated INTEGER NOT NULL,
        input BLOB NOT NULL,
        tags TEXT NOT NULL,                      -- JSON object
        snapshot BLOB NOT NULL                   -- JSON
    );

CREATE INDEX statemachine_run_busy ON statemachine_run (run) WHERE busy = 1 AND over = 0 AND held = '';

CREATE INDEX statemachine_run_due ON statemachine_run (due, run, workflow)
WHERE due IS NOT NULL AND over = 0 AND paused = 0 AND held = ''
;

CREATE INDEX statemachine_run_ended ON statemachine_run (updated) WHERE over = 1;

CREATE INDEX statemachine_run_held ON statemachine_run (started) WHERE held <> '';

CREATE INDEX statemachine_run_incident ON statemachine_run (started) WHERE incidents > 0;

CREATE INDEX statemachine_run_live ON statemachine_run (started) WHERE over = 0;

CREATE INDEX statemachine_run_paused ON statemachine_run (started) WHERE paused = 1;

CREATE INDEX statemachine_run_started ON statemachine_run (started);

CREATE INDEX statemachine_run_status ON statemachine_run (status, started);

CREATE INDEX statemachine_run_workflow ON statemachine_run (workflow, started);

CREATE TABLE statemachine_saved (                -- what a step that goes on has saved of its progress
    run TEXT NOT NULL,
    visit INTEGER NOT NULL,
    at INTEGER NOT NULL,
    value BLOB NOT NULL,                         -- JSON
    UNIQUE (run, visit)
);

CREATE TABLE statemachine_seen (
        run_id INTEGER NOT NULL,
        id TEXT NOT NULL,
        seq INTEGER NOT NULL,
        verdict TEXT NOT NULL, digest BLOB NOT NULL DEFAULT x'',
        PRIMARY KEY (run_id, id)
    ) WITHOUT ROWID
    ;

CREATE TABLE statemachine_tag (
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        started INTEGER NOT NULL,                -- of the run, so that a page of runs with a tag is one range
        run_id INTEGER NOT NULL,
        PRIMARY KEY (name, value, started, run_id)
    ) WITHOUT ROWID
    ;

CREATE TABLE statemachine_wanted (kind TEXT PRIMARY KEY) WITHOUT ROWID;
