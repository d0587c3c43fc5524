/* Every bound of CReactor, with its reason. Listeners and clients set the others per instance. */
#pragma once

enum {
  /* A presigned URL: access key id up to 4,096 bytes, a key of 1,024 bytes percent-encoded. */
  LIMIT_REQUEST_LINE_BYTES = 16 * 1024,
  LIMIT_HEADER_LINE_BYTES = 16 * 1024,
  LIMIT_HEAD_BYTES = 32 * 1024 + LIMIT_REQUEST_LINE_BYTES,
  LIMIT_HEADERS = 100,
  /* First buffer of a connection; it grows to LIMIT_HEAD_BYTES and is freed while idle. */
  LIMIT_FIRST_READ_BYTES = 4 * 1024,
  /* A body nobody asked for is read and dropped up to here, else the connection closes. */
  LIMIT_DROPPED_BODY_BYTES = 64 * 1024,
  /* What a body must come to on average, once it takes longer than the listener's body timeout. */
  LIMIT_BODY_BYTES_PER_SECOND = 1024,
  /* On one connection, whose last answer says that it closes. */
  LIMIT_REQUESTS_PER_CONNECTION = 10 * 1000,
  LIMIT_CHUNK_LINE_BYTES = 256,
  LIMIT_TRAILER_BYTES = 8 * 1024,
  /* Answer bytes that wait for a slow client; the feeder pauses above high, goes on below low. */
  LIMIT_WRITE_HIGH_BYTES = 256 * 1024,
  LIMIT_WRITE_LOW_BYTES = 64 * 1024,
  /* After an answer that closes: how long and how much is read so that the client can read it. */
  LIMIT_LINGER_MS = 2000,
  LIMIT_LINGER_BYTES = 64 * 1024,
  /* What is read at once where no connection keeps it: ciphertext, lingering bytes. */
  LIMIT_SCRATCH_BYTES = 64 * 1024,
  /* Smallest piece of a queue of answer bytes. */
  LIMIT_WRITE_CHUNK_BYTES = 16 * 1024,
  /* Pipelined requests answered before other connections have their turn. */
  LIMIT_REQUESTS_PER_TURN = 16,
  /* After accepting failed for want of descriptors or memory. */
  LIMIT_ACCEPT_RETRY_MS = 100,
  LIMIT_ACCEPTS_PER_TURN = 64,
  LIMIT_BACKLOG = 1024,
  LIMIT_TLS_HANDSHAKE_MS = 10 * 1000,
  LIMIT_UPSTREAM_HEAD_BYTES = 64 * 1024,
  LIMIT_URL_BYTES = 16 * 1024,
  /* How long a name's addresses are believed; as curl has it. */
  LIMIT_RESOLVED_SECONDS = 60,
  LIMIT_INBOX_ITEMS = 1 << 20,
};
