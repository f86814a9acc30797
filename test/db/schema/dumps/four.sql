-- A database of the first four migrations that the baseline replaced, with a few rows. Made by: pg_dump --no-owner --schema=public --column-inserts

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

CREATE FUNCTION public.get_scene_image_url(project_id uuid, scene_id text) RETURNS text
    LANGUAGE sql STABLE
    AS $_$
      SELECT storage_url FROM current_scene_images AS c WHERE c.project_id = $1 AND c.scene_id = $2
    $_$;

SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE public.generated_images (
    id bigint NOT NULL,
    request_id text,
    user_id text NOT NULL,
    username text,
    tool_name text DEFAULT 'generateUserImage'::text NOT NULL,
    prompt text NOT NULL,
    model text,
    size character varying(20),
    quality character varying(20),
    style character varying(20),
    n integer DEFAULT 1,
    storage_url text NOT NULL,
    storage_provider character varying(50) DEFAULT 'omega'::character varying,
    mime_type character varying(50),
    bytes bigint,
    sha256 character(64),
    tags text[],
    status character varying(20) DEFAULT 'success'::character varying NOT NULL,
    error text,
    metadata jsonb,
    message_id text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    media_type text DEFAULT 'image'::text NOT NULL,
    visibility text DEFAULT 'private'::text NOT NULL,
    filename text,
    width integer,
    height integer,
    duration_ms bigint,
    thumbhash text,
    provider text,
    generation jsonb,
    provider_response jsonb,
    search_text text,
    original_url text,
    job_id text,
    run_id text,
    project_id uuid,
    scene_id text,
    version integer,
    parent_id bigint,
    external_id text,
    generated_at timestamp with time zone,
    updated_at timestamp with time zone,
    expires_at timestamp with time zone,
    deleted_at timestamp with time zone
);
ALTER TABLE ONLY public.generated_images ALTER COLUMN metadata SET STATISTICS 1000;

CREATE TABLE public.scenes (
    project_id uuid NOT NULL,
    scene_id text NOT NULL,
    owner text NOT NULL,
    last_version integer NOT NULL,
    current_item_id bigint,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE VIEW public.current_scene_images AS
 SELECT scenes.project_id,
    scenes.scene_id,
        CASE
            WHEN ((item.status)::text = 'pending'::text) THEN COALESCE(NULLIF(item.storage_url, ''::text), item.original_url, ''::text)
            ELSE item.storage_url
        END AS storage_url,
    COALESCE(item.generated_at, item.created_at) AS generated_at
   FROM (public.scenes
     JOIN public.generated_images item ON ((item.id = scenes.current_item_id)))
  WHERE (item.deleted_at IS NULL);

CREATE TABLE public.fetches (
    media_id bigint NOT NULL,
    sources jsonb NOT NULL,
    options jsonb DEFAULT '{}'::jsonb NOT NULL,
    at_hand boolean DEFAULT false NOT NULL,
    dies_at timestamp with time zone,
    next_attempt_at timestamp with time zone DEFAULT now() NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    revision integer DEFAULT 0 NOT NULL,
    last_error text,
    gave_up_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.former_keys (
    key text NOT NULL,
    media_id bigint NOT NULL
);

CREATE SEQUENCE public.generated_images_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.generated_images_id_seq OWNED BY public.generated_images.id;

CREATE TABLE public.generation_jobs (
    provider text NOT NULL,
    job_id text NOT NULL,
    user_id text NOT NULL,
    status text DEFAULT 'queued'::text NOT NULL,
    progress smallint,
    error text,
    error_class text,
    fields jsonb DEFAULT '{}'::jsonb NOT NULL,
    timings jsonb DEFAULT '{}'::jsonb NOT NULL,
    poll_at timestamp with time zone,
    poll_until timestamp with time zone,
    started_at timestamp with time zone,
    completed_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT generation_jobs_progress_check CHECK (((progress >= 0) AND (progress <= 100))),
    CONSTRAINT generation_jobs_status_check CHECK ((status = ANY (ARRAY['queued'::text, 'running'::text, 'succeeded'::text, 'failed'::text, 'canceled'::text])))
);

CREATE TABLE public.idempotency_keys (
    caller text NOT NULL,
    key text NOT NULL,
    attempt uuid NOT NULL,
    fingerprint character(64),
    response jsonb,
    locked_until timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.job_outputs (
    provider text NOT NULL,
    job_id text NOT NULL,
    identity text NOT NULL,
    media_id bigint NOT NULL
);

CREATE TABLE public.kysely_migration (
    name character varying(255) NOT NULL,
    "timestamp" character varying(255) NOT NULL
);

CREATE TABLE public.kysely_migration_lock (
    id character varying(255) NOT NULL,
    is_locked integer DEFAULT 0 NOT NULL
);

CREATE TABLE public.leases (
    name text NOT NULL,
    holder uuid NOT NULL,
    leased_until timestamp with time zone NOT NULL
);

CREATE TABLE public.media_locations (
    media_id bigint NOT NULL,
    store text NOT NULL,
    key text NOT NULL,
    bytes bigint NOT NULL,
    sha256 character(64),
    owned boolean DEFAULT true NOT NULL,
    state text DEFAULT 'stored'::text NOT NULL,
    verified_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    purpose text,
    attempts integer DEFAULT 0 NOT NULL,
    next_attempt_at timestamp with time zone,
    last_error text,
    CONSTRAINT media_locations_state_check CHECK ((state = ANY (ARRAY['stored'::text, 'pending'::text, 'missing'::text, 'corrupt'::text])))
);

CREATE TABLE public.storage_intents (
    store text NOT NULL,
    key text NOT NULL,
    leased_until timestamp with time zone NOT NULL,
    marked_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.store_identities (
    store text NOT NULL,
    identity text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.stored_blob_chunks (
    blob_id uuid NOT NULL,
    number integer NOT NULL,
    bytes bytea NOT NULL
);
ALTER TABLE ONLY public.stored_blob_chunks ALTER COLUMN bytes SET STORAGE EXTERNAL;

CREATE TABLE public.stored_blob_writes (
    blob_id uuid NOT NULL,
    store text NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    replaced_at timestamp with time zone
);

CREATE TABLE public.stored_blobs (
    store text NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    blob_id uuid NOT NULL,
    content_type text NOT NULL,
    chunk_bytes integer NOT NULL,
    bytes bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.uploads (
    id uuid NOT NULL,
    user_id text NOT NULL,
    store text NOT NULL,
    key text NOT NULL,
    home text,
    content_type text NOT NULL,
    bytes bigint NOT NULL,
    fields jsonb NOT NULL,
    item_id bigint,
    expires_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.webhook_deliveries (
    id bigint NOT NULL,
    provider text NOT NULL,
    delivery_key text NOT NULL,
    job_id text NOT NULL,
    state text NOT NULL,
    body bytea,
    body_store text,
    body_key text,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT webhook_deliveries_state_check CHECK ((state = ANY (ARRAY['parked'::text, 'done'::text])))
);

ALTER TABLE public.webhook_deliveries ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.webhook_deliveries_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ONLY public.generated_images ALTER COLUMN id SET DEFAULT nextval('public.generated_images_id_seq'::regclass);

INSERT INTO public.fetches (media_id, sources, options, at_hand, dies_at, next_attempt_at, attempts, revision, last_error, gave_up_at, created_at) VALUES
	(2, '[{"url": "https://fal.media/files/harbour.png"}]', '{}', false, '2026-01-09 03:05:05+00', '2026-01-02 03:05:05+00', 0, 0, NULL, NULL, '2026-01-02 03:05:05+00');

INSERT INTO public.former_keys (key, media_id) VALUES
	('outputs/ann/before.png', 1);

INSERT INTO public.generated_images (id, request_id, user_id, username, tool_name, prompt, model, size, quality, style, n, storage_url, storage_provider, mime_type, bytes, sha256, tags, status, error, metadata, message_id, created_at, media_type, visibility, filename, width, height, duration_ms, thumbhash, provider, generation, provider_response, search_text, original_url, job_id, run_id, project_id, scene_id, version, parent_id, external_id, generated_at, updated_at, expires_at, deleted_at) VALUES
	(1, NULL, 'ann', NULL, 'generateUserImage', 'a red fox in the snow', NULL, NULL, NULL, NULL, 1, '/files/outputs/ann/fox.png', 'local', 'image/png', 4, 'f0b7a1f7a2b0d5e0c6c4f6b3a5d1e2c3b4a596877869504132231405f6e7d8c9', '{fox,snow}', 'success', NULL, '{"batch": 3}', NULL, '2026-01-02 03:04:05.123456+00', 'image', 'private', 'fox.png', NULL, NULL, NULL, NULL, 'fal', '{"seed": 42, "sampler": "euler"}', NULL, 'a red fox in the snow', NULL, 'job-1', NULL, '6f1c7f0e-0000-4000-8000-000000000001', 'scene_1', 1, NULL, NULL, NULL, NULL, NULL, NULL),
	(2, NULL, 'bob', NULL, 'generateUserImage', 'a harbour at night', NULL, NULL, NULL, NULL, 1, '', NULL, NULL, NULL, NULL, NULL, 'pending', NULL, NULL, NULL, '2026-01-02 03:05:05+00', 'image', 'private', NULL, NULL, NULL, NULL, NULL, 'fal', NULL, NULL, NULL, 'https://fal.media/files/harbour.png', 'job-2', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

INSERT INTO public.generation_jobs (provider, job_id, user_id, status, progress, error, error_class, fields, timings, poll_at, poll_until, started_at, completed_at, created_at, updated_at) VALUES
	('fal', 'job-1', 'ann', 'succeeded', 100, NULL, NULL, '{}', '{}', NULL, NULL, NULL, NULL, '2026-01-02 03:04:00+00', '2026-01-02 03:04:05+00'),
	('fal', 'job-2', 'bob', 'running', 40, NULL, NULL, '{}', '{}', '2026-01-02 03:06:00+00', NULL, NULL, NULL, '2026-01-02 03:05:00+00', '2026-01-02 03:05:00+00');

INSERT INTO public.idempotency_keys (caller, key, attempt, fingerprint, response, locked_until, expires_at, created_at) VALUES
	('ann', 'key-1', '6f1c7f0e-0000-4000-8000-000000000011', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '{"id": "1"}', '2026-01-02 03:06:00+00', '2026-01-03 03:04:05+00', '2026-01-02 03:04:05+00');

INSERT INTO public.job_outputs (provider, job_id, identity, media_id) VALUES
	('fal', 'job-1', 'url:https://fal.media/files/fox.png', 1);

INSERT INTO public.kysely_migration (name, "timestamp") VALUES
	('0001_core', '2026-01-01T00:00:00.000Z'),
	('0002_stores', '2026-01-01T00:00:00.000Z'),
	('0003_uploads', '2026-01-01T00:00:00.000Z'),
	('0004_intake', '2026-01-01T00:00:00.000Z');

INSERT INTO public.kysely_migration_lock (id, is_locked) VALUES
	('migration_lock', 0);

INSERT INTO public.leases (name, holder, leased_until) VALUES
	('git:main', '6f1c7f0e-0000-4000-8000-000000000012', '2026-01-02 03:10:00+00');

INSERT INTO public.media_locations (media_id, store, key, bytes, sha256, owned, state, verified_at, created_at, purpose, attempts, next_attempt_at, last_error) VALUES
	(1, 'local', 'outputs/ann/fox.png', 4, 'f0b7a1f7a2b0d5e0c6c4f6b3a5d1e2c3b4a596877869504132231405f6e7d8c9', true, 'stored', NULL, '2026-01-02 03:04:05+00', NULL, 0, NULL, NULL),
	(1, 'archive', 'outputs/ann/fox.png', 4, NULL, true, 'pending', NULL, '2026-01-02 03:04:05+00', 'mirror', 2, '2026-01-02 04:00:00+00', 'timeout');

INSERT INTO public.scenes (project_id, scene_id, owner, last_version, current_item_id, created_at) VALUES
	('6f1c7f0e-0000-4000-8000-000000000001', 'scene_1', 'ann', 1, 1, '2026-01-02 03:04:05+00');

INSERT INTO public.storage_intents (store, key, leased_until, marked_at, created_at) VALUES
	('local', 'outputs/bob/harbour.png', '2026-01-02 05:00:00+00', NULL, '2026-01-02 03:05:00+00');

INSERT INTO public.store_identities (store, identity, created_at) VALUES
	('archive', 'bucket-1', '2026-01-01 00:00:00+00');

INSERT INTO public.stored_blob_chunks (blob_id, number, bytes) VALUES
	('6f1c7f0e-0000-4000-8000-000000000013', 0, '\x68656c6c6f');

INSERT INTO public.stored_blob_writes (blob_id, store, key, replaced_at) VALUES
	('6f1c7f0e-0000-4000-8000-000000000014', 'database', 'outputs/ann/old.txt', '2026-01-02 03:04:05+00');

INSERT INTO public.stored_blobs (store, key, blob_id, content_type, chunk_bytes, bytes, created_at) VALUES
	('database', 'outputs/ann/note.txt', '6f1c7f0e-0000-4000-8000-000000000013', 'text/plain', 65536, 5, '2026-01-02 03:04:05+00');

INSERT INTO public.uploads (id, user_id, store, key, home, content_type, bytes, fields, item_id, expires_at, created_at) VALUES
	('6f1c7f0e-0000-4000-8000-000000000015', 'ann', 'local', 'outputs/ann/upload.png', NULL, 'image/png', 4, '{"prompt": "an upload"}', NULL, '2026-01-02 04:04:05+00', '2026-01-02 03:04:05+00');

INSERT INTO public.webhook_deliveries (id, provider, delivery_key, job_id, state, body, body_store, body_key, received_at, expires_at) OVERRIDING SYSTEM VALUE VALUES
	(1, 'fal', 'delivery-1', 'job-3', 'parked', '\x7b22726571756573745f6964223a226a6f622d33222c22737461747573223a224f4b227d', NULL, NULL, '2026-01-02 03:07:00+00', '2026-01-09 03:07:00+00');

SELECT pg_catalog.setval('public.generated_images_id_seq', 2, true);

SELECT pg_catalog.setval('public.webhook_deliveries_id_seq', 1, true);

ALTER TABLE ONLY public.fetches
    ADD CONSTRAINT fetches_pkey PRIMARY KEY (media_id);

ALTER TABLE ONLY public.former_keys
    ADD CONSTRAINT former_keys_pkey PRIMARY KEY (key, media_id);

ALTER TABLE ONLY public.generated_images
    ADD CONSTRAINT generated_images_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.generation_jobs
    ADD CONSTRAINT generation_jobs_pkey PRIMARY KEY (provider, job_id);

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (caller, key);

ALTER TABLE ONLY public.job_outputs
    ADD CONSTRAINT job_outputs_pkey PRIMARY KEY (provider, job_id, identity, media_id);

ALTER TABLE ONLY public.kysely_migration_lock
    ADD CONSTRAINT kysely_migration_lock_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.kysely_migration
    ADD CONSTRAINT kysely_migration_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.media_locations
    ADD CONSTRAINT media_locations_pkey PRIMARY KEY (media_id, store);

ALTER TABLE ONLY public.media_locations
    ADD CONSTRAINT media_locations_store_key UNIQUE (store, key);

ALTER TABLE ONLY public.scenes
    ADD CONSTRAINT scenes_pkey PRIMARY KEY (project_id, scene_id);

ALTER TABLE ONLY public.storage_intents
    ADD CONSTRAINT storage_intents_pkey PRIMARY KEY (store, key);

ALTER TABLE ONLY public.store_identities
    ADD CONSTRAINT store_identities_pkey PRIMARY KEY (store);

ALTER TABLE ONLY public.stored_blob_chunks
    ADD CONSTRAINT stored_blob_chunks_pkey PRIMARY KEY (blob_id, number);

ALTER TABLE ONLY public.stored_blob_writes
    ADD CONSTRAINT stored_blob_writes_pkey PRIMARY KEY (blob_id);

ALTER TABLE ONLY public.stored_blobs
    ADD CONSTRAINT stored_blobs_pkey PRIMARY KEY (store, key);

ALTER TABLE ONLY public.uploads
    ADD CONSTRAINT uploads_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_key UNIQUE (provider, delivery_key);

ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id);

CREATE INDEX fetches_dies_at ON public.fetches USING btree (at_hand, dies_at, next_attempt_at) WHERE (gave_up_at IS NULL);

CREATE INDEX fetches_next_attempt ON public.fetches USING btree (next_attempt_at) WHERE (gave_up_at IS NULL);

CREATE INDEX fetches_sources ON public.fetches USING gin (sources jsonb_path_ops) WHERE (gave_up_at IS NULL);

CREATE INDEX former_keys_media_id ON public.former_keys USING btree (media_id);

CREATE INDEX generated_images_deleted ON public.generated_images USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);

CREATE INDEX generated_images_failed ON public.generated_images USING btree (created_at, id) WHERE (((status)::text <> 'success'::text) AND ((status)::text <> 'pending'::text) AND (deleted_at IS NULL));

CREATE INDEX generated_images_newest ON public.generated_images USING btree (created_at, id) WHERE (deleted_at IS NULL);

CREATE INDEX generated_images_of_external_id ON public.generated_images USING btree (external_id) WHERE (external_id IS NOT NULL);

CREATE INDEX generated_images_of_job ON public.generated_images USING btree (job_id, created_at, id) WHERE (job_id IS NOT NULL);

CREATE INDEX generated_images_of_message ON public.generated_images USING btree (message_id) WHERE (message_id IS NOT NULL);

CREATE INDEX generated_images_of_model ON public.generated_images USING btree (model, created_at, id) WHERE ((deleted_at IS NULL) AND (model IS NOT NULL));

CREATE INDEX generated_images_of_run ON public.generated_images USING btree (run_id, created_at, id) WHERE (run_id IS NOT NULL);

CREATE INDEX generated_images_of_tool ON public.generated_images USING btree (tool_name, created_at, id) WHERE (deleted_at IS NULL);

CREATE INDEX generated_images_of_user ON public.generated_images USING btree (user_id, created_at, id) WHERE (deleted_at IS NULL);

CREATE UNIQUE INDEX generated_images_scene_version ON public.generated_images USING btree (project_id, scene_id, version) WHERE (project_id IS NOT NULL);

CREATE INDEX generated_images_text ON public.generated_images USING gin (to_tsvector('simple'::regconfig, "left"(COALESCE(search_text, prompt), 16000)));

CREATE INDEX generation_jobs_job_id ON public.generation_jobs USING btree (job_id);

CREATE INDEX generation_jobs_poll_at ON public.generation_jobs USING btree (poll_at) WHERE (poll_at IS NOT NULL);

CREATE INDEX idempotency_keys_expires_at ON public.idempotency_keys USING btree (expires_at);

CREATE INDEX idempotency_keys_item ON public.idempotency_keys USING btree (((response ->> 'id'::text)));

CREATE INDEX idx_generated_images_metadata_gin ON public.generated_images USING gin (metadata);

CREATE INDEX idx_generated_images_request_id ON public.generated_images USING btree (request_id);

CREATE INDEX idx_generated_images_status ON public.generated_images USING btree (status) WHERE ((status)::text <> 'success'::text);

CREATE INDEX idx_generated_images_storage_url ON public.generated_images USING btree (storage_url);

CREATE INDEX idx_generated_images_tags_gin ON public.generated_images USING gin (tags);

CREATE INDEX idx_generated_images_user_id_created_at ON public.generated_images USING btree (user_id, created_at DESC);

CREATE INDEX job_outputs_media_id ON public.job_outputs USING btree (media_id);

CREATE INDEX media_locations_of_store ON public.media_locations USING btree (store, media_id);

CREATE INDEX media_locations_pending ON public.media_locations USING btree (next_attempt_at) WHERE (state = 'pending'::text);

CREATE INDEX scenes_current_item_id ON public.scenes USING btree (current_item_id);

CREATE INDEX storage_intents_leased_until ON public.storage_intents USING btree (leased_until);

CREATE INDEX stored_blob_writes_key ON public.stored_blob_writes USING btree (store, key);

CREATE INDEX stored_blob_writes_replaced ON public.stored_blob_writes USING btree (replaced_at) WHERE (replaced_at IS NOT NULL);

CREATE INDEX uploads_expires_at ON public.uploads USING btree (expires_at);

CREATE INDEX uploads_key ON public.uploads USING btree (store, key);

CREATE INDEX webhook_deliveries_body ON public.webhook_deliveries USING btree (body_store, body_key) WHERE (body_key IS NOT NULL);

CREATE INDEX webhook_deliveries_expires_at ON public.webhook_deliveries USING btree (expires_at);

CREATE INDEX webhook_deliveries_parked ON public.webhook_deliveries USING btree (job_id) WHERE (state = 'parked'::text);

ALTER TABLE ONLY public.fetches
    ADD CONSTRAINT fetches_media_id_fkey FOREIGN KEY (media_id) REFERENCES public.generated_images(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.former_keys
    ADD CONSTRAINT former_keys_media_id_fkey FOREIGN KEY (media_id) REFERENCES public.generated_images(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.job_outputs
    ADD CONSTRAINT job_outputs_media_id_fkey FOREIGN KEY (media_id) REFERENCES public.generated_images(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.media_locations
    ADD CONSTRAINT media_locations_media_id_fkey FOREIGN KEY (media_id) REFERENCES public.generated_images(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.scenes
    ADD CONSTRAINT scenes_current_item_id_fkey FOREIGN KEY (current_item_id) REFERENCES public.generated_images(id) ON DELETE SET NULL;
