PRAGMA application_id = 1869640567;
PRAGMA user_version = 1;
CREATE TABLE events (
  seq INTEGER PRIMARY KEY,
  bytes INTEGER NOT NULL,
  recorded_ms INTEGER NOT NULL,
  dead INTEGER,
  id BLOB NOT NULL,
  source TEXT NOT NULL,
  feed TEXT NOT NULL,
  subject TEXT NOT NULL,
  partitionkey TEXT NOT NULL,
  body BLOB NOT NULL
) STRICT;
CREATE INDEX events_buried ON events (dead) WHERE dead IS NOT NULL;
CREATE TABLE cursors (
  source TEXT NOT NULL,
  feed TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (source, feed)
) STRICT, WITHOUT ROWID;
CREATE TABLE mirror (
  source TEXT NOT NULL,
  key TEXT NOT NULL,
  family TEXT NOT NULL,
  version TEXT NOT NULL,
  attributes TEXT NOT NULL,
  UNIQUE (source, key)
) STRICT;
CREATE TABLE dead_letters (
  key INTEGER PRIMARY KEY AUTOINCREMENT,
  source TEXT NOT NULL,
  feed TEXT NOT NULL,
  reason TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  digest TEXT NOT NULL,
  content TEXT NOT NULL
) STRICT;
CREATE TABLE recent_ids (
  n INTEGER PRIMARY KEY,
  id BLOB NOT NULL,
  span INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  seq INTEGER NOT NULL
) STRICT;
CREATE TABLE id_runs (
  run INTEGER PRIMARY KEY,
  expires_ms INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  filter BLOB NOT NULL
) STRICT;
CREATE TABLE id_chunks (
  chunk INTEGER PRIMARY KEY,
  ids BLOB NOT NULL
) STRICT;
CREATE TABLE meta (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  floor INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  age_ms INTEGER NOT NULL
) STRICT;
INSERT INTO events VALUES (1, 675, 1770091506790, NULL, X'5C76E836668E1AFAE9CC4284B32D02C8', 'fabric-a', 'class/eventRecord', 'apic.fabric-a.event.info', 'subj-[uni]/rec-1', CAST('{"specversion":"1.0","id":"5c76e836668e1afae9cc4284b32d02c8","source":"/apic/fabric-a","type":"apic.event.recorded","subject":"subj-[uni]/rec-1","recordedtime":"2026-02-03T04:05:06.789Z","datacontenttype":"application/json","partitionkey":"subj-[uni]/rec-1","severitytext":"info","severitynumber":9,"origin":"live","data":{"kind":"event","summary":"event 1","state":null,"outcome":null,"alertKey":null,"resource":{"kind":"object","id":"uni"}}}' AS BLOB));
INSERT INTO events VALUES (2, 675, 1770091506791, NULL, X'2B4720840DBCB1AD3552B1628C5FCBDD', 'fabric-a', 'class/eventRecord', 'apic.fabric-a.event.info', 'subj-[uni]/rec-2', CAST('{"specversion":"1.0","id":"2b4720840dbcb1ad3552b1628c5fcbdd","source":"/apic/fabric-a","type":"apic.event.recorded","subject":"subj-[uni]/rec-2","recordedtime":"2026-02-03T04:05:06.789Z","datacontenttype":"application/json","partitionkey":"subj-[uni]/rec-2","severitytext":"info","severitynumber":9,"origin":"live","data":{"kind":"event","summary":"event 2","state":null,"outcome":null,"alertKey":null,"resource":{"kind":"object","id":"uni"}}}' AS BLOB));
INSERT INTO events VALUES (3, 675, 1770091506792, NULL, X'1201D03D2EC80C8C0525D3586EB761E2', 'fabric-a', 'class/eventRecord', 'apic.fabric-a.event.info', 'subj-[uni]/rec-3', CAST('{"specversion":"1.0","id":"1201d03d2ec80c8c0525d3586eb761e2","source":"/apic/fabric-a","type":"apic.event.recorded","subject":"subj-[uni]/rec-3","recordedtime":"2026-02-03T04:05:06.789Z","datacontenttype":"application/json","partitionkey":"subj-[uni]/rec-3","severitytext":"info","severitynumber":9,"origin":"live","data":{"kind":"event","summary":"event 3","state":null,"outcome":null,"alertKey":null,"resource":{"kind":"object","id":"uni"}}}' AS BLOB));
INSERT INTO events VALUES (4, 675, 1770091506793, NULL, X'FEF77433D5166F27B639A539FC83E7BB', 'fabric-a', 'class/eventRecord', 'apic.fabric-a.event.info', 'subj-[uni]/rec-4', CAST('{"specversion":"1.0","id":"fef77433d5166f27b639a539fc83e7bb","source":"/apic/fabric-a","type":"apic.event.recorded","subject":"subj-[uni]/rec-4","recordedtime":"2026-02-03T04:05:06.789Z","datacontenttype":"application/json","partitionkey":"subj-[uni]/rec-4","severitytext":"info","severitynumber":9,"origin":"live","data":{"kind":"event","summary":"event 4","state":null,"outcome":null,"alertKey":null,"resource":{"kind":"object","id":"uni"}}}' AS BLOB));
INSERT INTO events VALUES (5, 675, 1770091506794, NULL, X'131D42C0419FA41C0D2AB0A5653B4429', 'fabric-a', 'class/eventRecord', 'apic.fabric-a.event.info', 'subj-[uni]/rec-5', CAST('{"specversion":"1.0","id":"131d42c0419fa41c0d2ab0a5653b4429","source":"/apic/fabric-a","type":"apic.event.recorded","subject":"subj-[uni]/rec-5","recordedtime":"2026-02-03T04:05:06.789Z","datacontenttype":"application/json","partitionkey":"subj-[uni]/rec-5","severitytext":"info","severitynumber":9,"origin":"live","data":{"kind":"event","summary":"event 5","state":null,"outcome":null,"alertKey":null,"resource":{"kind":"object","id":"uni"}}}' AS BLOB));
INSERT INTO events VALUES (6, 675, 1770091506795, NULL, X'73774A9B8E3B9421E36D1CC067786CA1', 'fabric-a', 'class/eventRecord', 'apic.fabric-a.event.info', 'subj-[uni]/rec-6', CAST('{"specversion":"1.0","id":"73774a9b8e3b9421e36d1cc067786ca1","source":"/apic/fabric-a","type":"apic.event.recorded","subject":"subj-[uni]/rec-6","recordedtime":"2026-02-03T04:05:06.789Z","datacontenttype":"application/json","partitionkey":"subj-[uni]/rec-6","severitytext":"info","severitynumber":9,"origin":"live","data":{"kind":"event","summary":"event 6","state":null,"outcome":null,"alertKey":null,"resource":{"kind":"object","id":"uni"}}}' AS BLOB));
INSERT INTO events VALUES (7, 675, 1770091506796, NULL, X'659E240A3DF03C84696B2E33C61F5B4C', 'fabric-a', 'class/eventRecord', 'apic.fabric-a.event.info', 'subj-[uni]/rec-7', CAST('{"specversion":"1.0","id":"659e240a3df03c84696b2e33c61f5b4c","source":"/apic/fabric-a","type":"apic.event.recorded","subject":"subj-[uni]/rec-7","recordedtime":"2026-02-03T04:05:06.789Z","datacontenttype":"application/json","partitionkey":"subj-[uni]/rec-7","severitytext":"info","severitynumber":9,"origin":"live","data":{"kind":"event","summary":"event 7","state":null,"outcome":null,"alertKey":null,"resource":{"kind":"object","id":"uni"}}}' AS BLOB));
INSERT INTO events VALUES (8, 675, 1770091506797, NULL, X'7B4B21AC535B3C253BD8BF4940C813D2', 'fabric-a', 'class/eventRecord', 'apic.fabric-a.event.info', 'subj-[uni]/rec-8', CAST('{"specversion":"1.0","id":"7b4b21ac535b3c253bd8bf4940c813d2","source":"/apic/fabric-a","type":"apic.event.recorded","subject":"subj-[uni]/rec-8","recordedtime":"2026-02-03T04:05:06.789Z","datacontenttype":"application/json","partitionkey":"subj-[uni]/rec-8","severitytext":"info","severitynumber":9,"origin":"live","data":{"kind":"event","summary":"event 8","state":null,"outcome":null,"alertKey":null,"resource":{"kind":"object","id":"uni"}}}' AS BLOB));
INSERT INTO events VALUES (9, 675, 1770091506798, NULL, X'82CB60F1910E32747AF9D4CE3F4BBF09', 'fabric-a', 'class/eventRecord', 'apic.fabric-a.event.info', 'subj-[uni]/rec-9', CAST('{"specversion":"1.0","id":"82cb60f1910e32747af9d4ce3f4bbf09","source":"/apic/fabric-a","type":"apic.event.recorded","subject":"subj-[uni]/rec-9","recordedtime":"2026-02-03T04:05:06.789Z","datacontenttype":"application/json","partitionkey":"subj-[uni]/rec-9","severitytext":"info","severitynumber":9,"origin":"live","data":{"kind":"event","summary":"event 9","state":null,"outcome":null,"alertKey":null,"resource":{"kind":"object","id":"uni"}}}' AS BLOB));
INSERT INTO events VALUES (10, 679, 1770091506799, NULL, X'F7127AAFE8DC565E7A835DB3AB1233D2', 'fabric-a', 'class/eventRecord', 'apic.fabric-a.event.info', 'subj-[uni]/rec-10', CAST('{"specversion":"1.0","id":"f7127aafe8dc565e7a835db3ab1233d2","source":"/apic/fabric-a","type":"apic.event.recorded","subject":"subj-[uni]/rec-10","recordedtime":"2026-02-03T04:05:06.789Z","datacontenttype":"application/json","partitionkey":"subj-[uni]/rec-10","severitytext":"info","severitynumber":9,"origin":"live","data":{"kind":"event","summary":"event 10","state":null,"outcome":null,"alertKey":null,"resource":{"kind":"object","id":"uni"}}}' AS BLOB));
INSERT INTO events VALUES (11, 679, 1770091506800, NULL, X'FC35DB6FDD4FF1EE88A34D9B0AB8A217', 'fabric-a', 'class/eventRecord', 'apic.fabric-a.event.info', 'subj-[uni]/rec-11', CAST('{"specversion":"1.0","id":"fc35db6fdd4ff1ee88a34d9b0ab8a217","source":"/apic/fabric-a","type":"apic.event.recorded","subject":"subj-[uni]/rec-11","recordedtime":"2026-02-03T04:05:06.789Z","datacontenttype":"application/json","partitionkey":"subj-[uni]/rec-11","severitytext":"info","severitynumber":9,"origin":"live","data":{"kind":"event","summary":"event 11","state":null,"outcome":null,"alertKey":null,"resource":{"kind":"object","id":"uni"}}}' AS BLOB));
INSERT INTO events VALUES (12, 679, 1770091506801, NULL, X'B9120217862249942F27ECA8AB69A6E0', 'fabric-a', 'class/eventRecord', 'apic.fabric-a.event.info', 'subj-[uni]/rec-12', CAST('{"specversion":"1.0","id":"b9120217862249942f27eca8ab69a6e0","source":"/apic/fabric-a","type":"apic.event.recorded","subject":"subj-[uni]/rec-12","recordedtime":"2026-02-03T04:05:06.789Z","datacontenttype":"application/json","partitionkey":"subj-[uni]/rec-12","severitytext":"info","severitynumber":9,"origin":"live","data":{"kind":"event","summary":"event 12","state":null,"outcome":null,"alertKey":null,"resource":{"kind":"object","id":"uni"}}}' AS BLOB));
INSERT INTO events VALUES (13, 679, 1770091506802, NULL, X'CF1A5C145A7A8ACC30A3BE3D054E9D61', 'fabric-a', 'class/eventRecord', 'apic.fabric-a.event.info', 'subj-[uni]/rec-13', CAST('{"specversion":"1.0","id":"cf1a5c145a7a8acc30a3be3d054e9d61","source":"/apic/fabric-a","type":"apic.event.recorded","subject":"subj-[uni]/rec-13","recordedtime":"2026-02-03T04:05:06.789Z","datacontenttype":"application/json","partitionkey":"subj-[uni]/rec-13","severitytext":"info","severitynumber":9,"origin":"live","data":{"kind":"event","summary":"event 13","state":null,"outcome":null,"alertKey":null,"resource":{"kind":"object","id":"uni"}}}' AS BLOB));
INSERT INTO cursors VALUES ('fabric-a', 'class/eventRecord', '{"last":13}');
INSERT INTO mirror VALUES ('fabric-a', 'uni/tn-a', 'fvTenant', '1', '{"dn":"uni/tn-a"}');
INSERT INTO dead_letters VALUES (1, 'fabric-a', 'class/eventRecord', 'not understood', 1770091506789, 1, '021fb596db81e6d02bf3d2586ee3981fe519f275c0ac9ca76bbcf2ebb4097d96', '{');
INSERT INTO recent_ids VALUES (1, X'F7127AAFE8DC565E7A835DB3AB1233D2', 2, 259200000, 10);
INSERT INTO recent_ids VALUES (2, X'FC35DB6FDD4FF1EE88A34D9B0AB8A217', 2, 259200000, 11);
INSERT INTO recent_ids VALUES (3, X'B9120217862249942F27ECA8AB69A6E0', 2, 259200000, 12);
INSERT INTO recent_ids VALUES (4, X'CF1A5C145A7A8ACC30A3BE3D054E9D61', 0, 86400000, 13);
INSERT INTO id_runs VALUES (1, 86400000, 9, X'20200C00004820A803000810E042080C04500200000048004000200008020050');
INSERT INTO id_chunks VALUES (274, X'1201D03D2EC80C8C0525D3586EB761E2');
INSERT INTO id_chunks VALUES (275, X'131D42C0419FA41C0D2AB0A5653B4429');
INSERT INTO id_chunks VALUES (299, X'2B4720840DBCB1AD3552B1628C5FCBDD');
INSERT INTO id_chunks VALUES (348, X'5C76E836668E1AFAE9CC4284B32D02C8');
INSERT INTO id_chunks VALUES (357, X'659E240A3DF03C84696B2E33C61F5B4C');
INSERT INTO id_chunks VALUES (371, X'73774A9B8E3B9421E36D1CC067786CA1');
INSERT INTO id_chunks VALUES (379, X'7B4B21AC535B3C253BD8BF4940C813D2');
INSERT INTO id_chunks VALUES (386, X'82CB60F1910E32747AF9D4CE3F4BBF09');
INSERT INTO id_chunks VALUES (510, X'FEF77433D5166F27B639A539FC83E7BB');
INSERT INTO meta VALUES (1, 0, 8791, 0);
