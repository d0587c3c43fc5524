// SchemaDocumentation: what each table, view and column of the record means, kept in the record
// itself (the table `documentation`). docs/audit.md and the pages of Datasette are made from it;
// tests compare it with the schema: nothing is missing, nothing is invented.
//
// A line that begins at the margin is a table or a view, an indented one its column: name, unit
// or -, meaning.

import GRDB

extension Schema {
  struct Documented: Equatable {
    let name: String
    /// Empty: the table or view itself.
    let column: String
    let unit: String
    let meaning: String
  }

  static let documentation: [Documented] = {
    var owner = ""
    return (documentedViews + "\n" + documentedTables).split(separator: "\n").map { line in
      let isColumn = line.hasPrefix("  ")
      let words = line.split(separator: " ", maxSplits: isColumn ? 2 : 1)
      guard isColumn else {
        owner = String(words[0])
        return Documented(name: owner, column: "", unit: "", meaning: String(words[1]))
      }
      return Documented(
        name: owner, column: String(words[0]), unit: words[1] == "-" ? "" : String(words[1]),
        meaning: String(words[2]))
    }
  }()

  /// Writes the documentation anew.
  static func document(_ db: Database) throws {
    try db.execute(sql: "DELETE FROM documentation")
    for line in documentation {
      try db.execute(
        sql: "INSERT INTO documentation VALUES (?, ?, ?, ?)",
        arguments: [line.name, line.column, line.unit, line.meaning])
    }
  }

  private static let documentedViews = """
    requests One row per request, sign-ins and refusals included: the view to begin with.
      request_id - The x-amz-request-id that the client saw: 16 hexadecimal digits; id in decimal.
      time RFC3339 When the request's head was read; UTC, microseconds.
      operation - The S3 action's name, as AWS documents it; AuthStart and AuthCallback for sign-ins, Malformed for what is no HTTP, Unknown for what is no S3.
      status - The HTTP status that was sent; NULL when the connection closed without one.
      error_code - The S3 error's code, such as NoSuchKey.
      outcome - How the request ended: ok, client_error (4xx), server_error (5xx), client_abort (the client left), upstream_abort (the storage failed midway), timeout, lost (the server died; whether it took effect is not known).
      username - The person's name in Globus at the time of the request, such as researcher@example.org.
      identity_id UUID The person's Globus identity; it outlasts changes of the name.
      credential - A fingerprint of the credential: equal for requests with the same one, useless for signing.
      collection_id UUID The Globus collection, which is the S3 bucket.
      object_key - The object's key, decoded, without a leading /; the path below the bucket's root folder, which is the object_key of the sign-in (AuthCallback) of the same credential.
      range - The Range header as it came, such as bytes=0-99.
      bytes_in bytes Body bytes received.
      bytes_out bytes Body bytes handed to the kernel; 0 for HEAD. Whether they arrived is not known.
      duration_ms ms From the head of the request to the end of the answer, by the monotonic clock.
      remote_ip - The client's address; behind a trusted proxy the one that it forwarded.
      peer_ip - The address that the connection came from: the proxy's, or the same.
      user_agent - The User-Agent header: what the client says that it is.
      auth - How the credential came: header, presigned, anonymous, none.
      auth_result - verified, unverified (a genuine access key id, any secret), expired, revoked, bad_signature, malformed, none.
      upstream_host - The Globus service or data server that was asked last.
      upstream_status - Its last HTTP status.
      upstream_calls - How many calls to Globus the request took.
      start_us us The time as a number: microseconds since 1970, UTC. Filter by this one, it has an index.
      id - The request id as a number: WHERE id = 0x031797D16514E400. It rises with time.
    reads Answers that showed something: objects read, and listings, which show names.
      time RFC3339 As in requests.
      operation - GetObject, ListObjects, ListObjectsV2 or ListObjectVersions.
      status - 200 or 206.
      outcome - As in requests: what was cut off is here too.
      username - As in requests.
      identity_id UUID As in requests.
      collection_id UUID As in requests.
      object_key - As in requests; NULL for listings.
      range - As in requests.
      bytes_out bytes As in requests.
      object_size bytes The whole object's size at that time.
      auth_result - As in requests.
      start_us us As in requests.
      id - As in requests.
    rollups Sums per hour, collection, person and operation; they outlive pruned rows.
      hour RFC3339 The hour's beginning, UTC.
      collection_id UUID NULL: requests without one, such as sign-ins.
      identity_id UUID NULL: nobody known, or somebody forgotten.
      username - As in requests.
      operation - As in requests.
      requests - How many.
      errors - How many of them have an outcome other than ok.
      bytes_in bytes Sum.
      bytes_out bytes Sum.
      duration_us us Sum of the durations.
      hour_us us The hour's beginning since 1970.
      hour_number hours The hour since 1970. Filter by this one, it has an index.
    notes Each use of the record through the command audit, and each thing that it did to it.
      time RFC3339 When; UTC, microseconds.
      command - query, show, sql, report, export, verify, snapshot, prune, pruned, hold, release, forget, migrate.
      actor - The account that ran it, and the one behind sudo; retention: the server itself.
      detail JSON What was asked or done, see docs/audit.md.
      at_us us When, since 1970.
    gaps Times for which records are missing: what the record knows that it does not know.
      time RFC3339 The gap's beginning, UTC.
      seconds s How long it was.
      records - How many requests were not recorded.
      reason - Why.
      remote_ip - The one address from which they came, when it is a flood of requests without a genuine credential.
      from_us us The beginning since 1970.
    ocsf Each request as an event of OCSF 1.3, class API Activity (6003), for security tools.
      time ms The event's time since 1970, as OCSF has it.
      class_uid - 6003: API Activity.
      category_uid - 6: Application Activity.
      activity_id - 1 create, 2 read, 3 update, 4 delete, 99 other.
      type_uid - class_uid * 100 + activity_id.
      severity_id - 1 ok, 2 the client's doing, 3 the server's or the storage's.
      status_id - 1 success, 2 failure, 0 unknown (lost).
      operation - As in requests.
      request_id - As in requests.
      identity_id UUID As in requests.
      collection_id UUID As in requests.
      object_key - As in requests.
      document JSON The whole event.
      start_us us As in requests. Filter by this one.
      id - As in requests.
    gcs_operation Requests for objects with the names of Globus Connect Server's audit database.
      session_id - The credential's fingerprint: the nearest that there is to a session.
      start_ts RFC3339 Beginning, UTC, whole seconds.
      end_ts RFC3339 End, UTC, whole seconds.
      path - / and the object's key.
      peer_addr - peer_ip of requests.
      length bytes bytes_in + bytes_out of requests.
      result - outcome of requests.
      client_addr - remote_ip of requests: the real client, for which Globus has this gateway's address.
      collection_id UUID As in requests, and as in session of Globus Connect Server.
      identity_id UUID As in requests, and as in session of Globus Connect Server.
      username - As in requests.
      operation - As in requests.
      request_id - As in requests.
      object_key - As in requests. Join by this one, it has an index.
      start_us us As in requests.
      id - As in requests.
    """

  private static let documentedTables = """
    request The rows behind requests. Append-only: a trigger refuses updates.
      id - The request id.
      run_id - The server's run, in server_run.
      start_us us When the request's head was read.
      duration_us us From the head of the request to the end of the answer.
      ttfb_us us From the head of the request to the first byte of the answer.
      host - The Host header.
      method - The HTTP method.
      operation - See requests.
      auth - See requests.
      auth_result - See requests.
      client_pk - Who asked, in client.
      principal_pk - The person, in principal.
      credential_pk - The credential, in credential.
      collection_pk - The collection, in collection.
      object_key - See requests.
      range - See requests.
      status - See requests.
      error_code - See requests.
      error_detail - What the answer's message said beside the code.
      outcome - See requests.
      bytes_in bytes See requests.
      bytes_out bytes See requests.
      object_size bytes The whole object's size.
      upstream_host - See requests.
      upstream_status - See requests.
      upstream_calls - See requests.
      truncated - 1: some text was longer than its limit; it ends in ….
      seq - The row's place in the chain, in leaf; NULL for rows of a version without a chain.
    server_run One row per start of a server.
      run_id - Its number.
      started_us us When.
      stopped_us us When it ended; after a crash, the time of its last record; NULL while it runs.
      clean - 1: it ended in order.
      host - The machine's name.
      pid - Its process.
      version - The program's version.
    collection Each collection that was asked for.
      collection_pk - Its number here.
      collection_id UUID The collection.
      first_seen_us us When it came first.
    principal Each person, once per name that they had.
      principal_pk - Its number here.
      identity_id UUID The Globus identity; NULL: forgotten.
      username - The name; NULL: forgotten, or not known.
      first_seen_us us When they came first under this name.
    credential Each credential that was used.
      credential_pk - Its number here.
      fingerprint - See credential in requests.
      principal_pk - Whose it is.
      first_seen_us us When it was given out or came first.
    credential_collection Which collections a credential opens, as the sign-in said.
      credential_pk - The credential.
      collection_pk - The collection.
    client Each combination of addresses and program.
      client_pk - Its number here.
      remote_ip - See requests.
      peer_ip - See requests.
      user_agent - See requests.
      first_seen_us us When it came first: what is new stands out.
    gap Times for which records are missing.
      gap_id - Its number.
      from_us us Its beginning.
      to_us us Its end.
      records - How many requests were not recorded.
      reason - Why.
      remote_ip - See gaps.
    note Uses of the record, see notes. Append-only.
      note_id - Its number.
      at_us us When.
      command - See notes.
      actor - See notes.
      detail JSON See notes.
    hold Collections whose rows may be neither pruned nor made nameless.
      collection_pk - The collection.
      note_id - The note that says who holds it and why.
    rollup_hour The sums behind rollups.
      hour hours Since 1970.
      collection_pk - 0: none.
      principal_pk - 0: none.
      operation - See requests.
      requests - How many.
      errors - See rollups.
      bytes_in bytes Sum.
      bytes_out bytes Sum.
      duration_us us Sum.
    leaf The chain: a digest of each row of request, gap and note, in the order of insertion.
      seq - Its place.
      kind - 0 request, 1 gap, 2 note.
      row_id - The row's number in its table.
      collection_pk - The request's collection.
      salt - Random bytes that hide the person in the digest; NULL when pruned or forgotten.
      personal - SHA-256 of the salt and who asked from where.
      content - SHA-256 of the row's other columns and of personal.
    checkpoint What was signed of the chain, one row per signing.
      checkpoint_id - Its number.
      first_seq - The first leaf that it signs for.
      last_seq - The last one.
      leaves - How many.
      leaves_sha256 - SHA-256 of their digests.
      prev_sha256 - The head of the checkpoint before.
      head_sha256 - SHA-256 of all this: what is signed, and what the server's log has.
      at_us us When it was signed.
      signer_pk - With which key, in signer.
      signature - Ed25519, of head_sha256.
      pruned_by - The note that says that its rows were pruned.
    signer Public keys that signed.
      signer_pk - Its number here.
      public_key - Ed25519, 32 bytes.
      first_seen_us us When it signed first.
    grdb_migrations Which versions of the schema the record has gone through.
      identifier - The version's name.
    documentation This text.
      name - The table or view.
      column - Its column; empty: the table or view itself.
      unit - Of the value; empty: none. us: microseconds; times are since 1970, UTC.
      meaning - What it is.
    """
}
