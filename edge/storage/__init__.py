"""Files that survive power cuts, full disks and failing cards. The only user of sqlite3."""
