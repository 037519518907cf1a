CREATE TABLE meta (
  -- Ids are the 16 bytes of a GUID, times are milliseconds since 1970 in UTC, and JSON is text.
  -- To read a store, even while it is in use: sqlite3 -readonly FILE 'SELECT * FROM items_shown'. The views whose names
  -- end in _shown display ids and times as text.
  -- The rows of this table:
  --   epoch: the number of times the store was opened for writing. A writer with another epoch has lost the store.
  --   last_session: the highest session number so far, of a session or of an attempt.
  name TEXT NOT NULL PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO meta (name, value) VALUES ('epoch', 0), ('last_session', 0);

CREATE TABLE handlers (
  -- The handlers with stored data. The other tables refer to a handler by its key, which is shorter than its id.
  key INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  description TEXT,        -- of its registration
  registered INTEGER,      -- the events of its registration, as bits: 1 connect, 2 pending disconnect, 4 idle
  flags INTEGER            -- the events set later; they override the registration
) STRICT;

CREATE TABLE items (
  -- One record per item. Its columns change in one transaction.
  handler INTEGER NOT NULL,
  place INTEGER NOT NULL,        -- the order of insertion, so that items that run together are stored together
  item BLOB NOT NULL,
  session INTEGER NOT NULL,      -- first part of the fence: the latest session when the attempt that wrote last began
  attempt INTEGER NOT NULL,      -- second part of the fence: the number of that attempt in its process
  ended INTEGER,                 -- the latest session when the attempt that last ended began
  outcome TEXT,                  -- its outcome: succeeded, failed, skipped, stopped, needs_user
  last_attempt INTEGER,          -- the time it last ended
  last_success INTEGER,          -- the time it last succeeded
  setback TEXT,                  -- the retry status, such as backoff; NULL if there is none
  failures INTEGER,              -- failures in a row without progress
  total INTEGER,                 -- failures since the last success
  since INTEGER,                 -- the time of the first of these failures
  until INTEGER,                 -- the earliest automatic run; NULL with a setback: no automatic run
  checkpoint TEXT,               -- the state saved by the handler, JSON
  checkpoint_version INTEGER,    -- the state version of the handler that saved it
  set_aside TEXT,                -- a checkpoint that was set aside, JSON
  set_aside_version INTEGER,
  sides TEXT,                    -- the sides of the last executed plan, a JSON array
  absent_since INTEGER,          -- the time since which complete listings lack the item
  PRIMARY KEY (handler, place)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX items_by_id ON items (handler, item);

CREATE INDEX items_set_back ON items (handler) WHERE setback IS NOT NULL;

CREATE TABLE choices (
  -- The items the user selected or deselected.
  handler INTEGER NOT NULL,
  item BLOB NOT NULL,
  checked INTEGER NOT NULL,      -- 1 selected, 0 deselected
  PRIMARY KEY (handler, item)
) STRICT, WITHOUT ROWID;

CREATE TABLE answers (
  -- Answers to questions, until they are consumed.
  handler INTEGER NOT NULL,
  item BLOB NOT NULL,
  key TEXT NOT NULL,             -- the name of the question within its item
  question TEXT NOT NULL,        -- the full question, JSON; the answer is valid only for exactly this question
  choice INTEGER NOT NULL,       -- the index of the chosen answer, from 0
  PRIMARY KEY (handler, item, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE log (
  -- The log, in the order of insertion.
  entry INTEGER PRIMARY KEY,
  handler INTEGER NOT NULL,
  manager BLOB NOT NULL,
  session INTEGER NOT NULL,      -- the session number of that manager
  time INTEGER NOT NULL,
  level TEXT NOT NULL,           -- information, warning, error
  text TEXT NOT NULL,
  item BLOB,                     -- the item of the entry
  error BLOB,                    -- the id of the entry
  action TEXT                    -- the action of opening it, JSON
) STRICT;

CREATE INDEX log_of_session ON log (handler, manager, session);
CREATE INDEX log_by_error ON log (handler, error) WHERE error IS NOT NULL;
CREATE INDEX log_by_item ON log (handler, item) WHERE item IS NOT NULL;

CREATE TABLE resources (
  -- The retry status of resources; columns as in items.
  name TEXT NOT NULL PRIMARY KEY,
  setback TEXT NOT NULL,
  failures INTEGER NOT NULL,
  total INTEGER NOT NULL,
  since INTEGER NOT NULL,
  until INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
  session INTEGER NOT NULL,
  manager BLOB NOT NULL,
  epoch INTEGER NOT NULL,        -- the epoch it began in; a session of an earlier epoch without an end was interrupted
  "trigger" TEXT NOT NULL,       -- connect, pending_disconnect, manual, idle, invoke, scheduled
  began INTEGER NOT NULL,
  ended INTEGER,
  course TEXT,                   -- the outcome: smooth (clean), eventful (with problems), interrupted
  outcomes TEXT,                 -- the number of items per outcome, a JSON object
  runs TEXT NOT NULL,            -- the requests it was started with, a JSON array
  PRIMARY KEY (session, manager)
) STRICT, WITHOUT ROWID;

CREATE TABLE histograms (
  name TEXT NOT NULL PRIMARY KEY,
  counts TEXT NOT NULL,          -- the counts of the buckets, a JSON array
  longest INTEGER NOT NULL       -- nanoseconds
) STRICT, WITHOUT ROWID;

CREATE VIEW handlers_shown AS SELECT
  lower(substr(hex(handlers.id), 1, 8) || '-' || substr(hex(handlers.id), 9, 4) || '-' || substr(hex(handlers.id), 13, 4) || '-' || substr(hex(handlers.id), 17, 4) || '-' || substr(hex(handlers.id), 21)) AS id,
  handlers.description,
  handlers.registered,
  handlers.flags
FROM handlers;

CREATE VIEW items_shown AS SELECT
  lower(substr(hex(handlers.id), 1, 8) || '-' || substr(hex(handlers.id), 9, 4) || '-' || substr(hex(handlers.id), 13, 4) || '-' || substr(hex(handlers.id), 17, 4) || '-' || substr(hex(handlers.id), 21)) AS handler,
  lower(substr(hex(items.item), 1, 8) || '-' || substr(hex(items.item), 9, 4) || '-' || substr(hex(items.item), 13, 4) || '-' || substr(hex(items.item), 17, 4) || '-' || substr(hex(items.item), 21)) AS item,
  items.session,
  items.attempt,
  items.ended,
  items.outcome,
  strftime('%Y-%m-%dT%H:%M:%fZ', items.last_attempt / 1000.0, 'unixepoch') AS last_attempt,
  strftime('%Y-%m-%dT%H:%M:%fZ', items.last_success / 1000.0, 'unixepoch') AS last_success,
  items.setback,
  items.failures,
  items.total,
  strftime('%Y-%m-%dT%H:%M:%fZ', items.since / 1000.0, 'unixepoch') AS since,
  strftime('%Y-%m-%dT%H:%M:%fZ', items.until / 1000.0, 'unixepoch') AS until,
  items.checkpoint_version,
  items.checkpoint,
  items.set_aside_version,
  items.set_aside,
  items.sides,
  strftime('%Y-%m-%dT%H:%M:%fZ', items.absent_since / 1000.0, 'unixepoch') AS absent_since
FROM items JOIN handlers ON handlers.key = items.handler;

CREATE VIEW choices_shown AS SELECT
  lower(substr(hex(handlers.id), 1, 8) || '-' || substr(hex(handlers.id), 9, 4) || '-' || substr(hex(handlers.id), 13, 4) || '-' || substr(hex(handlers.id), 17, 4) || '-' || substr(hex(handlers.id), 21)) AS handler,
  lower(substr(hex(choices.item), 1, 8) || '-' || substr(hex(choices.item), 9, 4) || '-' || substr(hex(choices.item), 13, 4) || '-' || substr(hex(choices.item), 17, 4) || '-' || substr(hex(choices.item), 21)) AS item,
  choices.checked
FROM choices JOIN handlers ON handlers.key = choices.handler;

CREATE VIEW answers_shown AS SELECT
  lower(substr(hex(handlers.id), 1, 8) || '-' || substr(hex(handlers.id), 9, 4) || '-' || substr(hex(handlers.id), 13, 4) || '-' || substr(hex(handlers.id), 17, 4) || '-' || substr(hex(handlers.id), 21)) AS handler,
  lower(substr(hex(answers.item), 1, 8) || '-' || substr(hex(answers.item), 9, 4) || '-' || substr(hex(answers.item), 13, 4) || '-' || substr(hex(answers.item), 17, 4) || '-' || substr(hex(answers.item), 21)) AS item,
  answers.key,
  answers.choice,
  answers.question
FROM answers JOIN handlers ON handlers.key = answers.handler;

CREATE VIEW log_shown AS SELECT
  lower(substr(hex(handlers.id), 1, 8) || '-' || substr(hex(handlers.id), 9, 4) || '-' || substr(hex(handlers.id), 13, 4) || '-' || substr(hex(handlers.id), 17, 4) || '-' || substr(hex(handlers.id), 21)) AS handler,
  log.entry,
  lower(substr(hex(log.manager), 1, 8) || '-' || substr(hex(log.manager), 9, 4) || '-' || substr(hex(log.manager), 13, 4) || '-' || substr(hex(log.manager), 17, 4) || '-' || substr(hex(log.manager), 21)) AS manager,
  log.session,
  strftime('%Y-%m-%dT%H:%M:%fZ', log.time / 1000.0, 'unixepoch') AS time,
  log.level,
  log.text,
  lower(substr(hex(log.item), 1, 8) || '-' || substr(hex(log.item), 9, 4) || '-' || substr(hex(log.item), 13, 4) || '-' || substr(hex(log.item), 17, 4) || '-' || substr(hex(log.item), 21)) AS item,
  lower(substr(hex(log.error), 1, 8) || '-' || substr(hex(log.error), 9, 4) || '-' || substr(hex(log.error), 13, 4) || '-' || substr(hex(log.error), 17, 4) || '-' || substr(hex(log.error), 21)) AS error,
  log.action
FROM log JOIN handlers ON handlers.key = log.handler;

CREATE VIEW resources_shown AS SELECT
  resources.name,
  resources.setback,
  resources.failures,
  resources.total,
  strftime('%Y-%m-%dT%H:%M:%fZ', resources.since / 1000.0, 'unixepoch') AS since,
  strftime('%Y-%m-%dT%H:%M:%fZ', resources.until / 1000.0, 'unixepoch') AS until
FROM resources;

CREATE VIEW sessions_shown AS SELECT
  sessions.session,
  lower(substr(hex(sessions.manager), 1, 8) || '-' || substr(hex(sessions.manager), 9, 4) || '-' || substr(hex(sessions.manager), 13, 4) || '-' || substr(hex(sessions.manager), 17, 4) || '-' || substr(hex(sessions.manager), 21)) AS manager,
  sessions.epoch,
  sessions."trigger",
  strftime('%Y-%m-%dT%H:%M:%fZ', sessions.began / 1000.0, 'unixepoch') AS began,
  strftime('%Y-%m-%dT%H:%M:%fZ', sessions.ended / 1000.0, 'unixepoch') AS ended,
  sessions.course,
  sessions.outcomes,
  sessions.runs
FROM sessions;
