// SchemaViews: the record in the words of others: OCSF, which security tools read, and the audit
// database of Globus Connect Server, so that both can be attached and joined.
//
// The columns `start_us`, `id`, `collection_id` and `object_key` are the indexed ones behind the
// views.

extension Schema {
  /// An expression of microseconds as RFC 3339 text, UTC.
  static func time(_ microseconds: String) -> String {
    """
    strftime('%Y-%m-%dT%H:%M:%S', \(microseconds) / 1000000, 'unixepoch')
      || printf('.%06dZ', \(microseconds) % 1000000)
    """
  }

  /// A time of whole seconds, as Globus Connect Server writes it.
  private static func second(_ microseconds: String) -> String {
    "strftime('%Y-%m-%dT%H:%M:%SZ', (\(microseconds)) / 1000000, 'unixepoch')"
  }

  static let viewsForOthers = ocsf + "\n" + gcsOperation

  /// OCSF's activities of class 6003: create, read, update, delete, other.
  private static let activity = """
    CASE
      WHEN r.operation GLOB 'Get*' OR r.operation GLOB 'Head*' OR r.operation GLOB 'List*'
        OR r.operation = 'SelectObjectContent' THEN 2
      WHEN r.operation GLOB 'Delete*' OR r.operation = 'AbortMultipartUpload' THEN 4
      WHEN r.operation IN ('PutObject', 'PostObject', 'CopyObject', 'UploadPart', 'UploadPartCopy')
        OR r.operation GLOB 'Create*' OR r.operation GLOB 'Complete*' THEN 1
      WHEN r.operation GLOB 'Put*' OR r.operation = 'RestoreObject' THEN 3
      ELSE 99 END
    """

  private static let status = "CASE r.outcome WHEN 'ok' THEN 1 WHEN 'lost' THEN 0 ELSE 2 END"

  private static let severity = """
    CASE r.outcome WHEN 'ok' THEN 1 WHEN 'client_error' THEN 2 WHEN 'client_abort' THEN 2
      ELSE 3 END
    """

  /// API Activity (https://schema.ocsf.io/1.3.0/classes/api_activity). `json_patch` (RFC 7396) with
  /// nothing leaves out members that are null.
  private static let ocsf = """
    CREATE VIEW ocsf AS SELECT
      r.start_us / 1000 AS time, 6003 AS class_uid, 6 AS category_uid,
      \(activity) AS activity_id, 600300 + \(activity) AS type_uid, \(severity) AS severity_id,
      \(status) AS status_id, r.operation, printf('%016X', r.id) AS request_id, p.identity_id,
      k.collection_id, r.object_key,
      json_patch('{}', json_object(
        'class_uid', 6003, 'class_name', 'API Activity', 'category_uid', 6,
        'category_name', 'Application Activity', 'activity_id', \(activity),
        'activity_name', CASE \(activity) WHEN 1 THEN 'Create' WHEN 2 THEN 'Read'
          WHEN 3 THEN 'Update' WHEN 4 THEN 'Delete' ELSE r.operation END,
        'type_uid', 600300 + \(activity), 'severity_id', \(severity), 'status_id', \(status),
        'status_code', coalesce(r.error_code, CAST(r.status AS TEXT)),
        'status_detail', r.outcome, 'message', r.error_detail,
        'time', r.start_us / 1000, 'start_time', r.start_us / 1000,
        'end_time', (r.start_us + r.duration_us) / 1000, 'duration', r.duration_us / 1000,
        'metadata', json_object('version', '1.3.0', 'uid', printf('%016X', r.id),
          'log_name', 'requests', 'product', json_object('name', 'globus-s3-frontend',
            'vendor_name', 'globus-s3-frontend', 'version', v.version)),
        'actor', json_object('user', json_object('uid', p.identity_id,
          'name', coalesce(p.username, p.identity_id, 'unknown'),
          'type_id', iif(p.identity_id IS NULL, 0, 1), 'credential_uid', c.fingerprint)),
        'api', json_object('operation', r.operation, 'service', json_object('name', 's3'),
          'request', json_object('uid', printf('%016X', r.id)),
          'response', json_object('code', r.status, 'error', r.error_code,
            'error_message', r.error_detail)),
        'src_endpoint', json_object('ip', nullif(l.remote_ip, ''),
          'name', iif(l.remote_ip = '', 'forgotten', NULL),
          'intermediate_ips', json(iif(l.peer_ip = l.remote_ip, NULL, json_array(l.peer_ip)))),
        'dst_endpoint', json_object('svc_name', 'globus-s3-frontend'),
        'http_request', json_object('http_method', r.method, 'user_agent',
          nullif(l.user_agent, ''), 'uid', printf('%016X', r.id), 'length', r.bytes_in),
        'http_response', json(iif(r.status IS NULL, NULL, json_object('code', r.status, 'length',
          r.bytes_out, 'latency', r.duration_us / 1000))),
        'resources', json(CASE
          WHEN k.collection_id IS NULL THEN NULL
          WHEN r.object_key IS NULL
            THEN json_array(json_object('type', 'collection', 'uid', k.collection_id))
          ELSE json_array(json_object('type', 'collection', 'uid', k.collection_id),
            json_object('type', 'object', 'uid', k.collection_id || '/' || r.object_key,
              'name', r.object_key)) END),
        'unmapped', json_object('auth', r.auth, 'auth_result', r.auth_result, 'range', r.range,
          'upstream_host', r.upstream_host, 'upstream_status', r.upstream_status,
          'upstream_calls', r.upstream_calls))) AS document,
      r.start_us, r.id
    FROM request r
      LEFT JOIN server_run v ON v.run_id = r.run_id
      LEFT JOIN client l ON l.client_pk = r.client_pk
      LEFT JOIN principal p ON p.principal_pk = r.principal_pk
      LEFT JOIN credential c ON c.credential_pk = r.credential_pk
      LEFT JOIN collection k ON k.collection_pk = r.collection_pk;
    """

  /// The columns of `operation` and `session` there, by the same names:
  /// https://docs.globus.org/globus-connect-server/v5/reference/audit/db
  private static let gcsOperation = """
    CREATE VIEW gcs_operation AS SELECT
      c.fingerprint AS session_id, \(second("r.start_us")) AS start_ts,
      \(second("r.start_us + r.duration_us")) AS end_ts, '/' || r.object_key AS path,
      l.peer_ip AS peer_addr, r.bytes_in + r.bytes_out AS length, r.outcome AS result,
      l.remote_ip AS client_addr, k.collection_id, p.identity_id, p.username, r.operation,
      printf('%016X', r.id) AS request_id, r.object_key, r.start_us, r.id
    FROM request r
      JOIN collection k ON k.collection_pk = r.collection_pk
      LEFT JOIN client l ON l.client_pk = r.client_pk
      LEFT JOIN principal p ON p.principal_pk = r.principal_pk
      LEFT JOIN credential c ON c.credential_pk = r.credential_pk
    WHERE r.object_key IS NOT NULL;
    """
}
