ALTER TABLE tasks ADD COLUMN resolution TEXT;

CREATE INDEX ended_tasks ON tasks (finished_at) WHERE state IN ('completed', 'failed');

CREATE INDEX unknown_tasks ON tasks (finished_at) WHERE state = 'unknown';
