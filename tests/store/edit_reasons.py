def reason_of(where, what):
    return ""
