def is_blocked(namespace, value, blocked):
    return value in blocked.get(namespace, ())
