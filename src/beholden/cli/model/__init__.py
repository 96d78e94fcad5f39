"""Commands about models that detect."""
