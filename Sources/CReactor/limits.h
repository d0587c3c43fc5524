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
  LIMIT_WRITE_HIGH_BYTES = 208 * 1024,
  LIMIT_WRITE_LOW_BYTES = 64 * 1024,
  /* A transfer's pieces are gathered to so many before they are written: seven of curl's. Just over
   * 64 KiB a little packet of its own goes after each large one; from 128 KiB on malloc maps pages. */
  LIMIT_RELAY_GATHER_BYTES = 112 * 1024,
  /* After an answer that closes: how long and how much is read so that the client can read it. */
  LIMIT_LINGER_MS = 2000,
  LIMIT_LINGER_BYTES = 64 * 1024,
  /* How long a connection may be idle when its listener closes: who is at work comes again within. */
  LIMIT_RETIRED_IDLE_MS = 1000,
  /* What is read at once where no connection keeps it: ciphertext, lingering bytes. */
  LIMIT_SCRATCH_BYTES = 64 * 1024,
  /* Smallest piece of a queue of answer bytes. */
  LIMIT_WRITE_CHUNK_BYTES = 16 * 1024,
  /* Requests of a listener begun before those begun have their turn: see turn.c. From 8 to 16 a
   * request costs least CPU with 512 clients and with 4,096; at 4 and at 64 it costs a tenth more. */
  LIMIT_REQUESTS_PER_TURN = 16,
  /* After accepting failed for want of descriptors or memory. */
  LIMIT_ACCEPT_RETRY_MS = 100,
  LIMIT_ACCEPTS_PER_TURN = 64,
  LIMIT_BACKLOG = 1024,
  LIMIT_TLS_HANDSHAKE_MS = 10 * 1000,
  /* A PROXY header with the vectors behind its addresses; what proxies send has some hundred bytes. */
  LIMIT_PROXY_HEADER_BYTES = 4 * 1024,
  LIMIT_UPSTREAM_HEAD_BYTES = 64 * 1024,
  /* A body up to here is taken from curl before anybody has asked for it. */
  LIMIT_EARLY_BODY_BYTES = 16 * 1024,
  LIMIT_URL_BYTES = 16 * 1024,
  /* How long a name's addresses are believed; as curl has it. */
  LIMIT_RESOLVED_SECONDS = 60,
  /* At the end of the heap, kept by cr_keep_freed_memory. */
  LIMIT_FREED_BYTES = 4 * 1024 * 1024,
  /* Transfers to one host in curl without a head, where the number adapts: see client_cap.c. At
   * 16 to 32 a request costs least CPU on a near host; 1,024 at 80 ms is 12,800 a second. */
  LIMIT_CAP_LEAST = 16,
  LIMIT_CAP_FIRST = 64,
  LIMIT_CAP_MOST = 1024,
  LIMIT_CAP_RATE = 4000,
  LIMIT_CAP_ROUND = 64,
  LIMIT_CAP_BASE_MS = 10 * 1000,
  LIMIT_CAP_FIRST_MS = 500,
  /* A transfer that waits so long for its head, and for four times the usual, counts no more. */
  LIMIT_CAP_STUCK_MS = 1000,
  LIMIT_CAP_LOOK_MS = 100,
  LIMIT_HOST_BUCKETS = 256,
  /* Hosts without transfers whose cap is remembered. */
  LIMIT_IDLE_HOSTS = 256,
  LIMIT_INBOX_ITEMS = 1 << 20,
};
