CREATE TABLE tasks (
    task_id     TEXT PRIMARY KEY,
    digest      BLOB NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('accepted', 'dispatched', 'completed', 'failed', 'unknown')),
    submission  TEXT NOT NULL,
    payload     BLOB NOT NULL,
    result      TEXT,
    output      BLOB,
    error       TEXT,
    accepted_at TEXT NOT NULL,
    finished_at TEXT
) STRICT;

CREATE INDEX unfinished_tasks ON tasks (accepted_at) WHERE state IN ('accepted', 'dispatched');

CREATE TABLE deployments (
    performer_id TEXT PRIMARY KEY,
    avs          TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('staged', 'in_service', 'retiring')),
    deployment   TEXT NOT NULL,
    handle       TEXT NOT NULL,
    created_at   TEXT NOT NULL
) STRICT;
