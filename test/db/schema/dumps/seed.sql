-- The generated_images of an older system, with a few rows. Made by: pg_dump --no-owner --schema=public --column-inserts

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

SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE public.generated_images (
    id bigint NOT NULL,
    request_id text,
    user_id character varying(32) NOT NULL,
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
    bytes integer,
    sha256 character(64),
    tags text[],
    status character varying(20) DEFAULT 'success'::character varying NOT NULL,
    error text,
    metadata jsonb,
    message_id text,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE SEQUENCE public.generated_images_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.generated_images_id_seq OWNED BY public.generated_images.id;

ALTER TABLE ONLY public.generated_images ALTER COLUMN id SET DEFAULT nextval('public.generated_images_id_seq'::regclass);

INSERT INTO public.generated_images (id, request_id, user_id, username, tool_name, prompt, model, size, quality, style, n, storage_url, storage_provider, mime_type, bytes, sha256, tags, status, error, metadata, message_id, created_at) VALUES
	(1, 'req-1', 'uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu', 'jo', 'generateUserImage', 'a beautiful sunset over mountains', NULL, NULL, NULL, NULL, 1, 'https://raw.githubusercontent.com/o/r/main/file-library/a.png', 'github', 'image/png', 524288, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '{portrait,NULL,Ünï}', 'success', NULL, '{"filename": "a.png"}', NULL, '2025-12-11 01:00:00.123456+00'),
	(2, NULL, 'uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu', NULL, 'generateUserImage', 'no tags, no metadata', NULL, NULL, NULL, NULL, 1, 'https://omegaai.dev/uploads/b.png', 'local', NULL, NULL, NULL, NULL, 'success', NULL, NULL, NULL, '2025-12-11 02:00:00+00'),
	(3, NULL, 'uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu', NULL, 'generateUserImage', 'metadata that is a list', NULL, NULL, NULL, NULL, 1, 'https://omegaai.dev/uploads/c.png', 'omega', 'image/png', 1, 'short                                                           ', '{}', 'success', NULL, '[1, {"k": 2}]', NULL, '2025-12-11 03:00:00+00'),
	(4, NULL, '1', NULL, 'generateUserImage', '', NULL, NULL, NULL, NULL, 1, '', NULL, NULL, 0, NULL, '{x}', 'success', NULL, 'null', NULL, '2025-12-11 04:00:00+00'),
	(5, NULL, 'uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu', NULL, 'generateUserImage', 'that failed', NULL, NULL, NULL, NULL, 1, '', 'omega', NULL, NULL, NULL, NULL, 'error', 'quota', NULL, NULL, '2026-11-30 14:44:05.620599+00');

SELECT pg_catalog.setval('public.generated_images_id_seq', 5, true);

ALTER TABLE ONLY public.generated_images
    ADD CONSTRAINT generated_images_pkey PRIMARY KEY (id);

CREATE INDEX idx_generated_images_metadata_gin ON public.generated_images USING gin (metadata);

CREATE INDEX idx_generated_images_request_id ON public.generated_images USING btree (request_id);

CREATE INDEX idx_generated_images_status ON public.generated_images USING btree (status) WHERE ((status)::text <> 'success'::text);

CREATE INDEX idx_generated_images_storage_url ON public.generated_images USING btree (storage_url);

CREATE INDEX idx_generated_images_tags_gin ON public.generated_images USING gin (tags);

CREATE INDEX idx_generated_images_user_id_created_at ON public.generated_images USING btree (user_id, created_at DESC);
