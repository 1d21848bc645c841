"""The admin page: the tables of the database for people to look at, and to change nothing."""
