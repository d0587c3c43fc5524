// RequestHead: an owned copy of a parsed request head.
//
// The C head points into the connection's buffer and ends with the request; a handler may outlive
// both, so the bytes are copied once. A class, because it is handed to everybody.

internal import CReactor

/// The head of a request, or of bytes that could not be taken for one. It may be kept as long as
/// one likes.
public final class RequestHead: Sendable {
  /// Why the bytes are no request.
  public struct Malformed: Sendable, Equatable {
    /// The status that fits, such as 400, 408 or 431.
    public let status: Int
    /// What is wrong, in English, for the client; it repeats nothing that was sent.
    public let reason: String
  }

  /// Upper case, as received: "GET".
  public let method: String
  /// The request target as received: path and query, percent-encoded, visible ASCII. Nothing in it is
  /// decoded or normalised.
  public let target: String
  /// Of a target in absolute form ("http://authority/path") its authority, which then is the Host
  /// header's value too; `target` has the rest.
  public let authority: String?
  /// None of what is no request.
  public let headers: RequestHeaders
  /// Not nil: this is no request. Method and target are then as far as they could be read, and the
  /// connection closes after the answer.
  public let malformed: Malformed?
  /// The declared length of the body in bytes, 0 without one; nil for a chunked body.
  public let contentLength: UInt64?
  /// Whether a body of at least one byte, or a chunked one, follows.
  public let hasBody: Bool

  init(_ head: borrowing cr_head) {
    let base = UnsafeRawPointer(head.base)
    let at = { (slice: cr_slice) in
      String(
        decoding: UnsafeRawBufferPointer(start: base + Int(slice.at), count: Int(slice.len)),
        as: UTF8.self)
    }
    method = at(head.method)
    target = at(head.target)
    authority = head.authority.len > 0 ? at(head.authority) : nil
    headers = RequestHeaders(head)
    contentLength = head.chunked ? nil : head.content_length
    hasBody = head.has_body
    malformed =
      head.malformed_status == 0
      ? nil
      : Malformed(
        status: Int(head.malformed_status),
        reason: head.malformed_reason.map { String(cString: $0) } ?? "malformed request")
  }

  /// The first value of the header of that name; nil when there is none.
  public subscript(name: String) -> String? { headers[name] }
}
