ALTER TABLE handlers ADD COLUMN waiting TEXT; -- the automatic runs that wait, as JSON

CREATE TABLE names (
  -- The names and default states of the items that the handlers listed.
  handler INTEGER NOT NULL,
  item BLOB NOT NULL,
  name TEXT NOT NULL,
  checked INTEGER NOT NULL,      -- by default: 1 selected, 0 deselected
  PRIMARY KEY (handler, item)
) STRICT, WITHOUT ROWID;

CREATE TABLE disabled (
  -- The disabled handlers and items.
  handler INTEGER NOT NULL,
  item BLOB NOT NULL,            -- 16 zero bytes: the handler with all of its items
  reason TEXT NOT NULL,
  PRIMARY KEY (handler, item)
) STRICT, WITHOUT ROWID;

CREATE TABLE firings (
  -- The last firings of the schedules of handlers and their items.
  handler INTEGER NOT NULL,
  schedule TEXT NOT NULL,
  fired INTEGER NOT NULL,        -- the time of the schedule, in milliseconds since 1970
  started INTEGER,               -- the time at which the last run started, in milliseconds since 1970
  PRIMARY KEY (handler, schedule)
) STRICT, WITHOUT ROWID;

CREATE INDEX items_absent ON items (handler) WHERE absent_since IS NOT NULL;
CREATE INDEX sessions_smooth ON sessions (session, manager) WHERE course = 'smooth';
CREATE INDEX sessions_not_smooth ON sessions (session, manager) WHERE course <> 'smooth';

CREATE VIEW names_shown AS SELECT
  lower(substr(hex(handlers.id), 1, 8) || '-' || substr(hex(handlers.id), 9, 4) || '-' || substr(hex(handlers.id), 13, 4) || '-' || substr(hex(handlers.id), 17, 4) || '-' || substr(hex(handlers.id), 21)) AS handler,
  lower(substr(hex(names.item), 1, 8) || '-' || substr(hex(names.item), 9, 4) || '-' || substr(hex(names.item), 13, 4) || '-' || substr(hex(names.item), 17, 4) || '-' || substr(hex(names.item), 21)) AS item,
  names.name,
  names.checked
FROM names JOIN handlers ON handlers.key = names.handler;

CREATE VIEW disabled_shown AS SELECT
  lower(substr(hex(handlers.id), 1, 8) || '-' || substr(hex(handlers.id), 9, 4) || '-' || substr(hex(handlers.id), 13, 4) || '-' || substr(hex(handlers.id), 17, 4) || '-' || substr(hex(handlers.id), 21)) AS handler,
  lower(substr(hex(disabled.item), 1, 8) || '-' || substr(hex(disabled.item), 9, 4) || '-' || substr(hex(disabled.item), 13, 4) || '-' || substr(hex(disabled.item), 17, 4) || '-' || substr(hex(disabled.item), 21)) AS item,
  disabled.reason
FROM disabled JOIN handlers ON handlers.key = disabled.handler;

CREATE VIEW firings_shown AS SELECT
  lower(substr(hex(handlers.id), 1, 8) || '-' || substr(hex(handlers.id), 9, 4) || '-' || substr(hex(handlers.id), 13, 4) || '-' || substr(hex(handlers.id), 17, 4) || '-' || substr(hex(handlers.id), 21)) AS handler,
  firings.schedule,
  firings.fired,
  firings.started
FROM firings JOIN handlers ON handlers.key = firings.handler;
