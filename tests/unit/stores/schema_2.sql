-- The store of release 0.1.0 with schema 2, as it wrote it (2026-11-30) when it was killed amid its third change; never changed.
BEGIN TRANSACTION;
CREATE TABLE history (number INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL,
                        uid INTEGER NOT NULL, user TEXT NOT NULL, pid INTEGER NOT NULL,
                        what TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL,
                        generation INTEGER NOT NULL, added INTEGER NOT NULL,
                        changed INTEGER NOT NULL, removed INTEGER NOT NULL, changes TEXT NOT NULL,
                        digest INTEGER NOT NULL) STRICT;
INSERT INTO "history" VALUES(1,1796030849358,0,'root',13449,'apply lab.json','applied','',1,7,0,0,'+ port host0: role tenant, device net_null1, network blue
+ port wire0: role underlay, device net_null0, mtu 1600
+ vtep gw2: kind remote, address 198.18.0.2, port wire0, source self, next_hop_mac 02:00:00:00:ff:02
+ vtep self: kind local, address 198.18.0.1, port wire0
+ network blue: vni 100, flood gw2, unknown_unicast flood
+ endpoint blue/02:00:00:00:0a:01 → port host0
+ endpoint blue/02:00:00:00:0b:01 → vtep gw2
',-4953953004173012819);
INSERT INTO "history" VALUES(2,1796030849386,0,'root',13450,'add endpoint blue/02:00:00:00:0b:07','applied','',2,1,0,0,'+ endpoint blue/02:00:00:00:0b:07 → vtep gw2
',3560677699649637357);
INSERT INTO "history" VALUES(3,1796030849406,0,'root',13451,'save monday','saved','',0,0,0,0,'',-3737021363638363121);
CREATE TABLE numbers (kind INTEGER NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL,
                        PRIMARY KEY (kind, name)) STRICT, WITHOUT ROWID;
INSERT INTO "numbers" VALUES(0,'host0',0);
INSERT INTO "numbers" VALUES(0,'wire0',1);
INSERT INTO "numbers" VALUES(1,'gw2',1);
INSERT INTO "numbers" VALUES(1,'self',2);
INSERT INTO "numbers" VALUES(2,'blue',1);
CREATE TABLE objects (kind INTEGER NOT NULL, key TEXT NOT NULL, json TEXT NOT NULL, owner TEXT NOT NULL DEFAULT 'file',
                        PRIMARY KEY (kind, key)) STRICT, WITHOUT ROWID;
INSERT INTO "objects" VALUES(0,'host0','{"name":"host0","role":"tenant","device":"net_null1","network":"blue"}','file');
INSERT INTO "objects" VALUES(0,'wire0','{"name":"wire0","role":"underlay","device":"net_null0","mtu":1600}','file');
INSERT INTO "objects" VALUES(1,'gw2','{"name":"gw2","kind":"remote","address":"198.18.0.2","port":"wire0","source":"self","next_hop_mac":"02:00:00:00:ff:02"}','file');
INSERT INTO "objects" VALUES(1,'self','{"name":"self","kind":"local","address":"198.18.0.1","port":"wire0"}','file');
INSERT INTO "objects" VALUES(2,'blue','{"name":"blue","vni":100,"flood":["gw2"],"unknown_unicast":"flood"}','file');
INSERT INTO "objects" VALUES(3,'blue/02:00:00:00:0a:01','{"network":"blue","mac":"02:00:00:00:0a:01","port":"host0"}','file');
INSERT INTO "objects" VALUES(3,'blue/02:00:00:00:0b:01','{"network":"blue","mac":"02:00:00:00:0b:01","vtep":"gw2"}','file');
INSERT INTO "objects" VALUES(3,'blue/02:00:00:00:0b:07','{"network":"blue","mac":"02:00:00:00:0b:07","vtep":"gw2"}','command');
CREATE TABLE prepared (id INTEGER PRIMARY KEY CHECK (id = 1), time_ms INTEGER NOT NULL,
                         uid INTEGER NOT NULL, user TEXT NOT NULL, pid INTEGER NOT NULL,
                         what TEXT NOT NULL, added INTEGER NOT NULL, changed INTEGER NOT NULL,
                         removed INTEGER NOT NULL, changes TEXT NOT NULL, ports INTEGER NOT NULL,
                         networks INTEGER NOT NULL, vteps INTEGER NOT NULL,
                         endpoints INTEGER NOT NULL, boot TEXT NOT NULL, boot_ms INTEGER NOT NULL,
                         wall_ms INTEGER NOT NULL, window_ms INTEGER NOT NULL,
                         numbers TEXT NOT NULL, redo TEXT NOT NULL) STRICT;
INSERT INTO "prepared" VALUES(1,1796030849619,0,'root',13456,'set endpoint blue/02:00:00:00:0b:07',0,1,0,'~ endpoint blue/02:00:00:00:0b:07 → port host0
',-6263438523105736013,213492080593224893,6067325478141274796,5844497492423581921,'',0,0,0,'','+ command endpoint blue/02:00:00:00:0b:07 {"network":"blue","mac":"02:00:00:00:0b:07","port":"host0"}
');
CREATE TABLE saved (name TEXT PRIMARY KEY, number INTEGER NOT NULL, time_ms INTEGER NOT NULL,
                      uid INTEGER NOT NULL, user TEXT NOT NULL, pid INTEGER NOT NULL,
                      bytes INTEGER NOT NULL, digest INTEGER NOT NULL,
                      objects TEXT NOT NULL) STRICT;
INSERT INTO "saved" VALUES('monday',2,1796030849406,0,'root',13451,780,-1769592370191621558,'+ file port host0 {"name":"host0","role":"tenant","device":"net_null1","network":"blue"}
+ file port wire0 {"name":"wire0","role":"underlay","device":"net_null0","mtu":1600}
+ file vtep gw2 {"name":"gw2","kind":"remote","address":"198.18.0.2","port":"wire0","source":"self","next_hop_mac":"02:00:00:00:ff:02"}
+ file vtep self {"name":"self","kind":"local","address":"198.18.0.1","port":"wire0"}
+ file network blue {"name":"blue","vni":100,"flood":["gw2"],"unknown_unicast":"flood"}
+ file endpoint blue/02:00:00:00:0a:01 {"network":"blue","mac":"02:00:00:00:0a:01","port":"host0"}
+ file endpoint blue/02:00:00:00:0b:01 {"network":"blue","mac":"02:00:00:00:0b:01","vtep":"gw2"}
+ command endpoint blue/02:00:00:00:0b:07 {"network":"blue","mac":"02:00:00:00:0b:07","vtep":"gw2"}
');
CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), content_digest INTEGER NOT NULL,
                      boot_id INTEGER NOT NULL, generation INTEGER NOT NULL,
                      ports INTEGER NOT NULL, networks INTEGER NOT NULL, vteps INTEGER NOT NULL,
                      endpoints INTEGER NOT NULL) STRICT;
INSERT INTO "state" VALUES(1,-1933904961052456276,8256158025533127581,2,-6263438523105736013,213492080593224893,6067325478141274796,215804786964585730);
CREATE TABLE unconfirmed (id INTEGER PRIMARY KEY CHECK (id = 1), number INTEGER NOT NULL,
                            boot TEXT NOT NULL, boot_ms INTEGER NOT NULL, wall_ms INTEGER NOT NULL,
                            window_ms INTEGER NOT NULL) STRICT;
CREATE TABLE undo (number INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, digest INTEGER NOT NULL,
                     difference TEXT NOT NULL) STRICT;
INSERT INTO "undo" VALUES(1,132,-6804468057009956412,'- port host0
- port wire0
- vtep gw2
- vtep self
- network blue
- endpoint blue/02:00:00:00:0a:01
- endpoint blue/02:00:00:00:0b:01
');
INSERT INTO "undo" VALUES(2,34,-3559727805489127730,'- endpoint blue/02:00:00:00:0b:07
');
COMMIT;
PRAGMA user_version = 2;
PRAGMA application_id = 0x57454952;
