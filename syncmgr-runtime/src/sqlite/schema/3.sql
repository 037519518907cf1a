CREATE TABLE overrides (
  -- What a person has set for handlers and items, in place of what their code declares.
  handler INTEGER NOT NULL,
  item BLOB NOT NULL,            -- 16 zero bytes: the handler
  kind TEXT NOT NULL,            -- schedule, requirements or window
  value TEXT NOT NULL,           -- the text form
  PRIMARY KEY (handler, item, kind)
) STRICT, WITHOUT ROWID;

CREATE VIEW overrides_shown AS SELECT
  lower(substr(hex(handlers.id), 1, 8) || '-' || substr(hex(handlers.id), 9, 4) || '-' || substr(hex(handlers.id), 13, 4) || '-' || substr(hex(handlers.id), 17, 4) || '-' || substr(hex(handlers.id), 21)) AS handler,
  lower(substr(hex(overrides.item), 1, 8) || '-' || substr(hex(overrides.item), 9, 4) || '-' || substr(hex(overrides.item), 13, 4) || '-' || substr(hex(overrides.item), 17, 4) || '-' || substr(hex(overrides.item), 21)) AS item,
  overrides.kind,
  overrides.value
FROM overrides JOIN handlers ON handlers.key = overrides.handler;
