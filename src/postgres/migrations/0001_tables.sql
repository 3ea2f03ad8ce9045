-- The coordinator's rows: a table for each kind. Ids are ordered by their bytes, as everywhere in the coordinator.
--
-- Written for PostgreSQL and for the databases that speak its language: no sequences, no advisory locks, no triggers. Foreign
-- keys stand only where a write does not pay for them each time.

CREATE TABLE nodes (
    node_id           text COLLATE "C" PRIMARY KEY,
    addresses         jsonb       NOT NULL,
    capacity_bytes    bigint      NOT NULL,
    capabilities      jsonb       NOT NULL,
    registered_at     timestamptz NOT NULL,
    -- What is wanted of the node.
    wanted            text        NOT NULL CHECK (wanted IN ('in_service', 'maintenance', 'draining', 'removed')),
    maintenance_until timestamptz,
    removed_at        timestamptz,
    removed_reason    text,
    -- A drain, and what it found when it began; a removed node may have one too.
    drain_since       timestamptz,
    drain_copies      bigint,
    drain_bytes       bigint,
    drain_then        text        CHECK (drain_then IN ('stay', 'remove')),
    drain_done_at     timestamptz,
    -- When the node was found silent; NULL while it is heard.
    silent_since      timestamptz,
    written_off       boolean     NOT NULL,
    -- How steadily it is heard.
    heard_since       timestamptz NOT NULL,
    returns           bigint      NOT NULL,
    held_until        timestamptz NOT NULL,
    last_silence      timestamptz NOT NULL
);

CREATE INDEX nodes_in_maintenance ON nodes (maintenance_until) WHERE maintenance_until IS NOT NULL;

-- Rewritten with every heartbeat: room in each page lets that happen in place, as long as no index has any of the columns but the
-- key.
CREATE TABLE heartbeats (
    node_id           text COLLATE "C" PRIMARY KEY REFERENCES nodes,
    beat_at           timestamptz      NOT NULL,
    storage_used      bigint           NOT NULL,
    storage_available bigint           NOT NULL,
    chunks_stored     bigint           NOT NULL,
    bandwidth_up      bigint           NOT NULL,
    bandwidth_down    bigint           NOT NULL,
    cpu_usage         double precision NOT NULL,
    memory_usage      double precision NOT NULL,
    uptime_seconds    bigint           NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE files (
    file_id       text COLLATE "C" PRIMARY KEY,
    name          text        NOT NULL,
    size_bytes    bigint      NOT NULL,
    hash          text        NOT NULL,
    owner_node_id text COLLATE "C",
    created_at    timestamptz NOT NULL,
    -- The chunks in order, and the index of each in the file.
    chunk_ids     text[]      NOT NULL,
    chunk_indexes bigint[]    NOT NULL
);

CREATE TABLE chunks (
    chunk_id           text COLLATE "C" PRIMARY KEY,
    hash               text        NOT NULL,
    size_bytes         bigint      NOT NULL,
    created_at         timestamptz NOT NULL,
    -- The file that the chunk is shown under, and its index there; NULL once no file holds it.
    home_file_id       text COLLATE "C",
    chunk_index        bigint      NOT NULL,
    sharers            bigint      NOT NULL,
    unreferenced_since timestamptz
) WITH (fillfactor = 90);

CREATE INDEX chunks_without_file ON chunks (chunk_id) WHERE home_file_id IS NULL;

CREATE TABLE chunk_replicas (
    chunk_id text COLLATE "C" NOT NULL,
    node_id  text COLLATE "C" NOT NULL,
    -- The order in which the copies were chosen.
    position bigint NOT NULL,
    state    text   NOT NULL CHECK (state IN ('assigned', 'stored', 'deleting')),
    PRIMARY KEY (chunk_id, node_id)
) WITH (fillfactor = 90);

-- Further files that hold a chunk, beside its home.
CREATE TABLE chunk_sharers (
    chunk_id    text COLLATE "C" NOT NULL,
    file_id     text COLLATE "C" NOT NULL,
    chunk_index bigint NOT NULL,
    PRIMARY KEY (chunk_id, file_id)
);

-- Chunks of deleted or replaced files that are still to be let go of.
CREATE TABLE releases (
    release_id    uuid PRIMARY KEY,
    file_id       text COLLATE "C" NOT NULL,
    chunk_ids     text[]   NOT NULL,
    chunk_indexes bigint[] NOT NULL,
    done          bigint   NOT NULL
);

-- Remembered answers to requests with an idempotency key.
CREATE TABLE requests (
    request_key text COLLATE "C" PRIMARY KEY,
    fingerprint bytea       NOT NULL,
    response    bytea       NOT NULL,
    expires_at  timestamptz NOT NULL
);

-- What nodes are to do.
CREATE TABLE tasks (
    node_id        text COLLATE "C" NOT NULL,
    chunk_id       text COLLATE "C" NOT NULL,
    task_id        uuid        NOT NULL,
    kind           text        NOT NULL CHECK (kind IN ('replicate', 'delete')),
    reason         text        NOT NULL,
    created_at     timestamptz NOT NULL,
    deadline       timestamptz NOT NULL,
    attempt        bigint      NOT NULL,
    source_node_id text COLLATE "C",
    size_bytes     bigint      NOT NULL,
    PRIMARY KEY (node_id, chunk_id)
);

-- What changed, for who watches. A write leaves its row without a place; whoever leads gives places in the order of time, one
-- writer after the other, so that a reader who goes by places misses nothing.
CREATE TABLE events (
    event_id     uuid PRIMARY KEY,
    place        bigint,
    happened_at  timestamptz NOT NULL,
    -- By the microsecond: of two writes of the same row the second has the later time.
    written_at   timestamptz NOT NULL,
    -- Whether a node is new or has another state, so that instances know when to look at the nodes again.
    about_nodes  boolean     NOT NULL,
    changes      bytea       NOT NULL,
    -- What the write added to the totals. Empty in an event that only keeps its proposal from ever being written.
    totals_delta bigint[]    NOT NULL,
    -- And to what lies on nodes: which nodes, and for each the copies and their bytes. NULL if nothing.
    usage_nodes  text[],
    usage_copies bigint[],
    usage_bytes  numeric[]
);

CREATE UNIQUE INDEX events_by_place ON events (place) WHERE place IS NOT NULL;
CREATE INDEX events_without_place ON events (written_at, event_id) WHERE place IS NULL;

-- What lies on each node, stored copies of chunks that files hold, as of the last place that was given: counting the rows of a
-- node with a million copies takes many seconds. What events without a place add comes on top, so that all of it is exact in
-- every snapshot, and no two writes meet at a count.
CREATE TABLE node_usage (
    node_id text COLLATE "C" PRIMARY KEY,
    copies  bigint  NOT NULL,
    bytes   numeric NOT NULL
) WITH (fillfactor = 50);

-- One row: what all instances have in common.
CREATE TABLE coordinator (
    only_row          boolean PRIMARY KEY CHECK (only_row),
    service_id        text        NOT NULL,
    -- Counts, as of the last place that was given.
    totals            bigint[]    NOT NULL,
    last_place        bigint      NOT NULL,
    -- The last place that is forgotten.
    forgotten_place   bigint      NOT NULL,
    -- Who leads: does what one instance alone is to do.
    leader            text,
    leader_address    text,
    leader_until      timestamptz NOT NULL,
    leader_epoch      bigint      NOT NULL
);

-- The instances that were heard of late.
CREATE TABLE instances (
    name    text COLLATE "C" PRIMARY KEY,
    address text        NOT NULL,
    seen_at timestamptz NOT NULL
);

-- A row while an import is under way, and after one that was cut short: nobody serves what is only half there.
CREATE TABLE imports (
    only_row boolean PRIMARY KEY CHECK (only_row),
    began_at timestamptz NOT NULL
);
