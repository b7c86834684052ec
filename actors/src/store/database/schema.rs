//! The tables, as `migrations/` makes them in both databases.

diesel::table! {
    conversations (id) {
        id -> Binary,
        turns -> BigInt,
        bytes -> BigInt,
        system_messages -> Binary,
        expires_at_ms -> BigInt,
        incarnation -> BigInt,
    }
}

diesel::table! {
    conversation_turns (conversation, number) {
        conversation -> Binary,
        number -> BigInt,
        messages -> BigInt,
        opens -> BigInt,
        body -> Binary,
    }
}

diesel::table! {
    entries (key) {
        key -> Binary,
        record -> Binary,
        size_bytes -> BigInt,
        stored_at_ms -> BigInt,
        expires_at_ms -> BigInt,
        generation -> BigInt,
        labels -> Binary,
    }
}

diesel::table! {
    purges (label) {
        label -> BigInt,
        generation -> BigInt,
        change -> BigInt,
    }
}

diesel::table! {
    secrets (name) {
        name -> Text,
        value -> Binary,
    }
}

diesel::table! {
    __diesel_schema_migrations (version) {
        version -> Text,
    }
}
