DROP TRIGGER "{db}"."{name}"
