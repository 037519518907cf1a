CREATE TABLE meta (
  -- Ids are the 16 bytes of a GUID; times are milliseconds since 1970, UTC; everything in JSON is text.
  -- To look at a store, even while it is used: sqlite3 -readonly FILE 'SELECT * FROM items_shown'. The views whose names
  -- end in _shown spell ids and times out.
  -- What there is once:
  --   epoch: how often the store was opened for writing. A writer whose epoch is not this one has lost the store.
  --   last_session: the highest number a session was given.
  name TEXT NOT NULL PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO meta (name, value) VALUES ('epoch', 0), ('last_session', 0);

CREATE TABLE handlers (
  -- Every handler anything is stored of. The other tables name it by its key, which is shorter than its id.
  key INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  description TEXT,        -- as it was registered
  registered INTEGER,      -- the events it was registered with, as bits: 1 connect, 2 pending disconnect, 4 idle
  flags INTEGER            -- the events somebody set for it; they win
) STRICT;

CREATE TABLE items (
  -- One record an item: its parts change together.
  handler INTEGER NOT NULL,
  place INTEGER NOT NULL,        -- in the order they were first stored in: what runs together lies together
  item BLOB NOT NULL,
  session INTEGER NOT NULL,      -- the fence, first part: the session that wrote last
  attempt INTEGER NOT NULL,      -- the fence, second part: its attempt
  ended INTEGER,                 -- the session in which it last ended
  outcome TEXT,                  -- how: succeeded, failed, skipped, stopped, needs_user
  last_attempt INTEGER,          -- when it last ended
  last_success INTEGER,          -- when it last succeeded
  setback TEXT,                  -- what stands in the way, such as backoff; NULL where nothing does
  failures INTEGER,              -- failures in a row since it last got further
  total INTEGER,                 -- failures since the last success
  since INTEGER,                 -- when the first of them was
  until INTEGER,                 -- it does not run by itself before this; NULL with a setback: not by itself at all
  checkpoint TEXT,               -- what its handler saved, JSON
  checkpoint_version INTEGER,    -- the version of the handler's state it was saved with
  set_aside TEXT,                -- a checkpoint that was put aside, JSON
  set_aside_version INTEGER,
  sides TEXT,                    -- the sides in the last plan that was carried out, a JSON array
  absent_since INTEGER,          -- since when complete listings lack it
  PRIMARY KEY (handler, place)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX items_by_id ON items (handler, item);

CREATE INDEX items_set_back ON items (handler) WHERE setback IS NOT NULL;

CREATE TABLE choices (
  -- What somebody chose or left out.
  handler INTEGER NOT NULL,
  item BLOB NOT NULL,
  checked INTEGER NOT NULL,      -- 1 chosen, 0 not
  PRIMARY KEY (handler, item)
) STRICT, WITHOUT ROWID;

CREATE TABLE answers (
  -- Answers to questions, until they are used up.
  handler INTEGER NOT NULL,
  item BLOB NOT NULL,
  key TEXT NOT NULL,             -- names the question within its item
  question TEXT NOT NULL,        -- the whole question, JSON: the answer holds for exactly this one
  choice INTEGER NOT NULL,       -- the place of the answer among its choices, from 0
  PRIMARY KEY (handler, item, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE log (
  -- Entries in the order they were stored.
  entry INTEGER PRIMARY KEY,
  handler INTEGER NOT NULL,
  manager BLOB NOT NULL,
  session INTEGER NOT NULL,      -- as that manager numbers them
  time INTEGER NOT NULL,
  level TEXT NOT NULL,           -- information, warning, error
  text TEXT NOT NULL,
  item BLOB,                     -- the item it is about
  error BLOB,                    -- what it is named by
  action TEXT                    -- what opening it does, JSON
) STRICT;

CREATE INDEX log_of_session ON log (handler, manager, session);
CREATE INDEX log_by_error ON log (handler, error) WHERE error IS NOT NULL;
CREATE INDEX log_by_item ON log (handler, item) WHERE item IS NOT NULL;

CREATE TABLE resources (
  -- What failures have left behind of resources; columns as in items.
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
  epoch INTEGER NOT NULL,        -- the epoch it began in. Without an end and of an earlier epoch, it was interrupted
  "trigger" TEXT NOT NULL,       -- connect, pending_disconnect, manual, idle, invoke, scheduled
  began INTEGER NOT NULL,
  ended INTEGER,
  course TEXT,                   -- smooth, eventful, interrupted
  outcomes TEXT,                 -- how many items ended how, a JSON object
  runs TEXT NOT NULL,            -- what it was asked for, a JSON array of requests
  PRIMARY KEY (session, manager)
) STRICT, WITHOUT ROWID;

CREATE TABLE histograms (
  name TEXT NOT NULL PRIMARY KEY,
  counts TEXT NOT NULL,          -- durations in each bucket, a JSON array
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
