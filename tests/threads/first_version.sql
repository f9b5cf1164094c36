PRAGMA user_version=1;
CREATE TABLE assistants (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
    id VARCHAR(64) NOT NULL, 
    created_at INTEGER NOT NULL, 
    name TEXT, 
    description TEXT, 
    model TEXT NOT NULL, 
    instructions TEXT, 
    tools JSON NOT NULL, 
    metadata JSON NOT NULL, 
    tool_resources JSON, 
    temperature FLOAT, 
    top_p FLOAT, 
    response_format JSON, 
    reasoning_effort VARCHAR(16), 
    UNIQUE (id)
);
CREATE INDEX assistants_order ON assistants (created_at, seq);
CREATE TABLE threads (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
    id VARCHAR(64) NOT NULL, 
    created_at INTEGER NOT NULL, 
    tool_resources JSON, 
    metadata JSON NOT NULL, 
    UNIQUE (id)
);
CREATE TABLE keys (
    id VARCHAR(32) NOT NULL, 
    name TEXT NOT NULL, 
    digest VARCHAR(64) NOT NULL, 
    created_at INTEGER NOT NULL, 
    revoked_at INTEGER, 
    PRIMARY KEY (id)
);
CREATE TABLE messages (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
    id VARCHAR(64) NOT NULL, 
    created_at INTEGER NOT NULL, 
    thread_id VARCHAR(64) NOT NULL, 
    status VARCHAR(16) NOT NULL, 
    incomplete_details JSON, 
    completed_at INTEGER, 
    incomplete_at INTEGER, 
    role VARCHAR(16) NOT NULL, 
    content JSON NOT NULL, 
    assistant_id VARCHAR(64), 
    run_id VARCHAR(64), 
    attachments JSON, 
    metadata JSON NOT NULL, 
    UNIQUE (id), 
    FOREIGN KEY(thread_id) REFERENCES threads (id)
);
CREATE INDEX messages_order ON messages (thread_id, created_at, seq);
CREATE TABLE runs (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
    id VARCHAR(64) NOT NULL, 
    created_at INTEGER NOT NULL, 
    thread_id VARCHAR(64) NOT NULL, 
    assistant_id VARCHAR(64) NOT NULL, 
    status VARCHAR(16) NOT NULL, 
    last_error JSON, 
    expires_at INTEGER, 
    started_at INTEGER, 
    cancelled_at INTEGER, 
    failed_at INTEGER, 
    completed_at INTEGER, 
    incomplete_details JSON, 
    model TEXT NOT NULL, 
    instructions TEXT NOT NULL, 
    tools JSON NOT NULL, 
    metadata JSON NOT NULL, 
    usage JSON, 
    max_prompt_tokens INTEGER, 
    max_completion_tokens INTEGER, 
    truncation_strategy JSON NOT NULL, 
    tool_choice JSON NOT NULL, 
    parallel_tool_calls BOOLEAN NOT NULL, 
    response_format JSON NOT NULL, 
    temperature FLOAT, 
    top_p FLOAT, 
    reasoning_effort VARCHAR(16), 
    step_id VARCHAR(64) NOT NULL, 
    reply_id VARCHAR(64) NOT NULL, 
    UNIQUE (id), 
    FOREIGN KEY(thread_id) REFERENCES threads (id), 
    FOREIGN KEY(assistant_id) REFERENCES assistants (id)
);
CREATE UNIQUE INDEX runs_active ON runs (thread_id) WHERE status IN ('queued', 'in_progress', 'requires_action', 'cancelling');
CREATE INDEX runs_order ON runs (thread_id, created_at, seq);
INSERT INTO assistants (id, created_at, model, tools, metadata) VALUES ('asst_1', 100, 'm', '[]', '{}');
INSERT INTO threads (id, created_at, metadata) VALUES ('thread_1', 101, '{}');
INSERT INTO messages (id, created_at, thread_id, status, completed_at, role, content, metadata) VALUES
    ('msg_1', 101, 'thread_1', 'completed', 101, 'user', '[{"type": "text", "text": {"value": "hi", "annotations": []}}]', '{}');
INSERT INTO messages (id, created_at, thread_id, status, completed_at, role, content, assistant_id, run_id, metadata)
    VALUES ('msg_2', 103, 'thread_1', 'completed', 103, 'assistant', '[{"type": "text", "text": {"value": "hello", "annotations": []}}]', 'asst_1', 'run_done', '{}');
INSERT INTO runs (id, created_at, thread_id, assistant_id, status, expires_at, started_at, completed_at, model, instructions, tools, metadata,
    usage, truncation_strategy, tool_choice, parallel_tool_calls, response_format, step_id, reply_id) VALUES
    ('run_done', 102, 'thread_1', 'asst_1', 'completed', NULL, 102, 103, 'm', '', '[]', '{}',
    '{"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}', '{"type": "auto"}', '"auto"', 1, '"auto"', 'step_done', 'msg_2'),
    ('run_left', 104, 'thread_1', 'asst_1', 'in_progress', '@soon', 104, NULL, 'm', '', '[]', '{}',
    NULL, '{"type": "auto"}', '"auto"', 1, '"auto"', 'step_left', 'msg_3');
