"""Tables, migrations and grants."""
