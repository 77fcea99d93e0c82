-- The store of release 0.1.0 with schema 3, as it wrote it (2026-11-30) when it was killed while its last change waited for its confirmation; never changed.
BEGIN TRANSACTION;
CREATE TABLE history (number INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL,
                        uid INTEGER NOT NULL, user TEXT NOT NULL, pid INTEGER NOT NULL,
                        what TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL,
                        generation INTEGER NOT NULL, added INTEGER NOT NULL,
                        changed INTEGER NOT NULL, removed INTEGER NOT NULL, changes TEXT NOT NULL,
                        digest INTEGER NOT NULL) STRICT;
INSERT INTO "history" VALUES(1,1796063428002,0,'root',23413,'apply -','pending','',0,10,0,0,'+ port host0: role tenant, device net_null1, network blue
+ port wire0: role underlay, device net_null0, mtu 1600, addresses 198.18.0.1/24, rate 10G
+ next-hop spine1: port wire0, address 198.18.0.254
+ vtep gw2: kind remote, address 198.18.0.2, port wire0, source self, next_hop_mac 02:00:00:00:ff:02
+ vtep self: kind local, address 198.18.0.1, port wire0
+ network blue: vni 100, flood gw2, unknown_unicast flood
+ endpoint blue/02:00:00:00:0a:01 → port host0
+ endpoint blue/02:00:00:00:0b:01 → vtep gw2
+ host-rule icmp: action to_host, rate 100
+ queue wire0/3: dscp 26, kmin 100K, kmax 400K, pmax 25%
',-2896232125305345651);
INSERT INTO "history" VALUES(2,1796063428085,0,'root',23414,'add endpoint blue/02:00:00:00:0b:07','pending','',0,1,0,0,'+ endpoint blue/02:00:00:00:0b:07 → vtep gw2
',-5107541990518265727);
INSERT INTO "history" VALUES(3,1796063428183,0,'root',23415,'save monday','saved','',0,0,0,0,'',1532703632856491849);
INSERT INTO "history" VALUES(4,1796063428230,0,'root',23416,'add network red','pending','',0,1,0,0,'+ network red: vni 200, unknown_unicast flood
',-5357949826154019159);
CREATE TABLE layers (number INTEGER PRIMARY KEY, difference TEXT NOT NULL) STRICT;
INSERT INTO "layers" VALUES(1,'+ file port host0 {"name":"host0","role":"tenant","device":"net_null1","network":"blue"}
+ file port wire0 {"name":"wire0","role":"underlay","device":"net_null0","mtu":1600,"addresses":["198.18.0.1/24"],"rate":"10G"}
+ file vtep gw2 {"name":"gw2","kind":"remote","address":"198.18.0.2","port":"wire0","source":"self","next_hop_mac":"02:00:00:00:ff:02"}
+ file vtep self {"name":"self","kind":"local","address":"198.18.0.1","port":"wire0"}
+ file network blue {"name":"blue","vni":100,"flood":["gw2"],"unknown_unicast":"flood"}
+ file endpoint blue/02:00:00:00:0a:01 port host0
+ file endpoint blue/02:00:00:00:0b:01 vtep gw2
+ file next_hop spine1 {"name":"spine1","port":"wire0","address":"198.18.0.254"}
+ file host_rule icmp {"name":"icmp","action":"to_host","rate":100}
+ file queue wire0/3 {"port":"wire0","traffic_class":3,"dscp":[26],"kmin":"100K","kmax":"400K","pmax":"25%"}
');
INSERT INTO "layers" VALUES(2,'+ command endpoint blue/02:00:00:00:0b:07 vtep gw2
');
INSERT INTO "layers" VALUES(3,'+ command network red {"name":"red","vni":200,"unknown_unicast":"flood"}
');
CREATE TABLE numbers (kind INTEGER NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL,
                        PRIMARY KEY (kind, name)) STRICT, WITHOUT ROWID;
INSERT INTO "numbers" VALUES(0,'host0',0);
INSERT INTO "numbers" VALUES(0,'wire0',1);
INSERT INTO "numbers" VALUES(1,'gw2',1);
INSERT INTO "numbers" VALUES(1,'self',2);
INSERT INTO "numbers" VALUES(2,'blue',1);
INSERT INTO "numbers" VALUES(2,'red',2);
INSERT INTO "numbers" VALUES(4,'spine1',1);
CREATE TABLE objects (kind INTEGER NOT NULL, key TEXT NOT NULL, json TEXT NOT NULL, owner TEXT NOT NULL DEFAULT 'file',
                        PRIMARY KEY (kind, key)) STRICT, WITHOUT ROWID;
CREATE TABLE prepared (id INTEGER PRIMARY KEY CHECK (id = 1), time_ms INTEGER NOT NULL,
                         uid INTEGER NOT NULL, user TEXT NOT NULL, pid INTEGER NOT NULL,
                         what TEXT NOT NULL, added INTEGER NOT NULL, changed INTEGER NOT NULL,
                         removed INTEGER NOT NULL, changes TEXT NOT NULL, ports INTEGER NOT NULL,
                         networks INTEGER NOT NULL, vteps INTEGER NOT NULL,
                         endpoints INTEGER NOT NULL, boot TEXT NOT NULL, boot_ms INTEGER NOT NULL,
                         wall_ms INTEGER NOT NULL, window_ms INTEGER NOT NULL,
                         numbers TEXT NOT NULL, redo TEXT NOT NULL, layer INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE saved (name TEXT PRIMARY KEY, number INTEGER NOT NULL, time_ms INTEGER NOT NULL,
                      uid INTEGER NOT NULL, user TEXT NOT NULL, pid INTEGER NOT NULL,
                      bytes INTEGER NOT NULL, digest INTEGER NOT NULL,
                      objects TEXT NOT NULL) STRICT;
INSERT INTO "saved" VALUES('monday',2,1796063428183,0,'root',23415,934,-8976571489547447836,'+ file port host0 {"name":"host0","role":"tenant","device":"net_null1","network":"blue"}
+ file port wire0 {"name":"wire0","role":"underlay","device":"net_null0","mtu":1600,"addresses":["198.18.0.1/24"],"rate":"10G"}
+ file vtep gw2 {"name":"gw2","kind":"remote","address":"198.18.0.2","port":"wire0","source":"self","next_hop_mac":"02:00:00:00:ff:02"}
+ file vtep self {"name":"self","kind":"local","address":"198.18.0.1","port":"wire0"}
+ file network blue {"name":"blue","vni":100,"flood":["gw2"],"unknown_unicast":"flood"}
+ file endpoint blue/02:00:00:00:0a:01 port host0
+ file endpoint blue/02:00:00:00:0b:01 vtep gw2
+ command endpoint blue/02:00:00:00:0b:07 vtep gw2
+ file next_hop spine1 {"name":"spine1","port":"wire0","address":"198.18.0.254"}
+ file host_rule icmp {"name":"icmp","action":"to_host","rate":100}
+ file queue wire0/3 {"port":"wire0","traffic_class":3,"dscp":[26],"kmin":"100K","kmax":"400K","pmax":"25%"}
');
CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), content_digest INTEGER NOT NULL,
                      boot_id INTEGER NOT NULL, generation INTEGER NOT NULL,
                      ports INTEGER NOT NULL, networks INTEGER NOT NULL, vteps INTEGER NOT NULL,
                      endpoints INTEGER NOT NULL) STRICT;
INSERT INTO "state" VALUES(1,-5391625046620361684,0,0,0,0,0,0);
CREATE TABLE unconfirmed (id INTEGER PRIMARY KEY CHECK (id = 1), number INTEGER NOT NULL,
                            boot TEXT NOT NULL, boot_ms INTEGER NOT NULL, wall_ms INTEGER NOT NULL,
                            window_ms INTEGER NOT NULL) STRICT;
INSERT INTO "unconfirmed" VALUES(1,4,'87a4e870-4f3c-4018-b7f9-29d875d9a989',7051670,1796067028230,3600000);
CREATE TABLE undo (number INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, digest INTEGER NOT NULL,
                     difference TEXT NOT NULL) STRICT;
INSERT INTO "undo" VALUES(1,97,-2005860018378989611,'- port *
- vtep *
- network blue
- endpoint *
- next_hop spine1
- host_rule icmp
- queue wire0/3
');
INSERT INTO "undo" VALUES(2,34,-3559727805489127730,'- endpoint blue/02:00:00:00:0b:07
');
INSERT INTO "undo" VALUES(4,14,7804291770804082749,'- network red
');
COMMIT;
PRAGMA user_version = 3;
PRAGMA application_id = 0x57454952;
