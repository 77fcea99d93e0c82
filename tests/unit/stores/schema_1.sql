-- The store of release 0.1.0 with schema 1, as it wrote it (2026-11-30); never changed.
BEGIN TRANSACTION;
CREATE TABLE numbers (kind INTEGER NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL,
                        PRIMARY KEY (kind, name)) STRICT, WITHOUT ROWID;
INSERT INTO "numbers" VALUES(0,'host0',0);
INSERT INTO "numbers" VALUES(0,'wire0',1);
INSERT INTO "numbers" VALUES(1,'gw2',1);
INSERT INTO "numbers" VALUES(1,'gw3',2);
INSERT INTO "numbers" VALUES(1,'self',3);
INSERT INTO "numbers" VALUES(2,'blue',2);
INSERT INTO "numbers" VALUES(4,'spine1',1);
INSERT INTO "numbers" VALUES(4,'vtep/gw3',2);
CREATE TABLE objects (kind INTEGER NOT NULL, key TEXT NOT NULL, json TEXT NOT NULL,
                        PRIMARY KEY (kind, key)) STRICT, WITHOUT ROWID;
INSERT INTO "objects" VALUES(0,'host0','{"name":"host0","role":"tenant","device":"net_tap0,iface=host0","network":"blue"}');
INSERT INTO "objects" VALUES(0,'wire0','{"name":"wire0","role":"underlay","device":"net_memif0,socket=/run/m0","mtu":1600,"addresses":["198.18.0.1/24"]}');
INSERT INTO "objects" VALUES(1,'gw2','{"name":"gw2","kind":"remote","address":"198.18.0.2","port":"wire0","source":"self","next_hop_mac":"02:00:00:00:ff:02"}');
INSERT INTO "objects" VALUES(1,'gw3','{"name":"gw3","kind":"remote","address":"198.18.0.3","port":"wire0"}');
INSERT INTO "objects" VALUES(1,'self','{"name":"self","kind":"local","address":"198.18.0.1","port":"wire0"}');
INSERT INTO "objects" VALUES(2,'blue','{"name":"blue","vni":100,"flood":["gw2"],"unknown_unicast":"flood"}');
INSERT INTO "objects" VALUES(3,'blue/02:00:00:00:0a:01','{"network":"blue","mac":"02:00:00:00:0a:01","port":"host0"}');
INSERT INTO "objects" VALUES(3,'blue/02:00:00:00:0b:01','{"network":"blue","mac":"02:00:00:00:0b:01","vtep":"gw2"}');
INSERT INTO "objects" VALUES(4,'spine1','{"name":"spine1","port":"wire0","address":"198.18.0.254"}');
INSERT INTO "objects" VALUES(5,'icmp','{"name":"icmp","action":"to_host","rate":100}');
INSERT INTO "objects" VALUES(6,'wire0/3','{"port":"wire0","traffic_class":3,"carries":["data"],"kmin":"100K","kmax":"200K","pmax":"5%"}');
CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), content_digest INTEGER NOT NULL,
                      boot_id INTEGER NOT NULL, generation INTEGER NOT NULL,
                      ports INTEGER NOT NULL, networks INTEGER NOT NULL, vteps INTEGER NOT NULL,
                      endpoints INTEGER NOT NULL) STRICT;
INSERT INTO "state" VALUES(1,1187797276271473847,0,0,0,0,0,0);
PRAGMA user_version = 1;
PRAGMA application_id = 0x57454952;
COMMIT;
