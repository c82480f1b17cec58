"""What the tests run on: real servers on free ports, a running shop, a browser. No test lives here."""
