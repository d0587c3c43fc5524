// GetObject: the object's status from `stat` and its bytes from the collection's server, asked for
// at the same time wherever the range allows it.
//
// Invariant: the head of the answer promises what `stat` says, and the bytes are sent only if the
// server's head agrees with it. Nothing has been sent when anything here is thrown.

import Reactor

enum GetObject {
  @Loop static func run(_ request: ObjectRequest) async throws(S3Error) -> Reply {
    if request.key.isFolder {
      let head = try request.head(try await request.stat())
      return head.reply()
    }
    guard let early = EarlyRead(request.arguments) else {
      let head = try request.head(try await request.stat())
      guard let range = head.range else { return head.reply() }
      return try await answer(request, head, await read(request, head.isWhole ? nil : range))
    }
    // A child task: it begins when this one first waits, on the loop like everything, and is
    // cancelled and awaited when this function throws.
    async let reading = read(request, early.range)
    let head = try request.head(try await request.stat())
    if head.status == 304 { return head.reply() }
    return try await answer(request, head, await reading)
  }

  /// What can be asked for before the size is known.
  private struct EarlyRead {
    /// nil: the whole object.
    let range: ClosedRange<UInt64>?

    /// Nil for ranges that need the status: If-Range decides by it, collections refuse suffixes, and
    /// an open end would have to be guessed. Beyond `Int64` their servers can't read the number.
    init?(_ arguments: ObjectArguments) {
      guard arguments.conditions.ifRange == nil else { return nil }
      switch arguments.range {
      case nil, .from(0): self.range = nil
      case .between(let first, let last) where last <= UInt64(Int64.max): self.range = first...last
      case .from, .between, .suffix: return nil
      }
    }
  }

  @Loop private static func read(
    _ request: ObjectRequest, _ range: ClosedRange<UInt64>?
  ) async -> Result<Transfer, GlobusError> {
    do throws(GlobusError) {
      return .success(
        try await request.collection.read(request.path, range: range, trace: request.trace))
    } catch {
      return .failure(error)
    }
  }

  /// The reply, if need be after a second look at the status: the remembered one may be too old.
  @Loop private static func answer(
    _ request: ObjectRequest, _ head: ObjectHead, _ reading: Result<Transfer, GlobusError>
  ) async throws(S3Error) -> Reply {
    if let reply = try reply(request, head, reading) { return reply }
    let head = try request.head(try await request.stat(fresh: true))
    if head.status == 304 { return head.reply() }
    if let reply = try reply(request, head, reading) { return reply }
    switch reading {
    case .success(let transfer):
      let answer = transfer.head
      transfer.cancel()
      if isPage(answer) { throw .expired(signInURL: request.signInURL) }
      throw .unavailable(
        "The collection's server and Globus do not agree on the object's size. Please try again.",
        cause: "the server's \(answer.status) of \(answer.contentLength.map { "\($0)" } ?? "?") "
          + "bytes does not fit an object of \(head.size)")
    case .failure(let error):
      throw .unavailable(
        "The object exists, but the collection's server can't read it now. Please try again.",
        cause: "the server said \(error), stat finds the file")
    }
  }

  /// The reply, if the server's answer agrees with `head`; nil: a fresh status has to decide.
  /// Throws refusals that no status can change.
  @Loop private static func reply(
    _ request: ObjectRequest, _ head: ObjectHead, _ reading: Result<Transfer, GlobusError>
  ) throws(S3Error) -> Reply? {
    let transfer: Transfer
    switch reading {
    case .success(let success): transfer = success
    case .failure(.notFound), .failure(.invalidRange), .failure(.unavailable): return nil
    case .failure(let error): throw S3Error(error, signInURL: request.signInURL)
    }
    guard let skip = skip(transfer.head, for: head) else { return nil }
    guard head.length > 0 else {
      transfer.cancel()
      return head.reply()
    }
    let tag = transfer.head.headers["ETag"]
    return head.reply(
      .object(
        ObjectBody(transfer: transfer, skip: skip, length: head.length) { offset in
          await rest(request, head, tag: tag, from: offset)
        }))
  }

  /// How many bytes of the server's body come before those wanted; nil when the two disagree.
  static func skip(_ answer: ResponseHead, for head: ObjectHead) -> UInt64? {
    let length = answer.contentLength
    if answer.status == 206 {
      // The server's range begins where it was asked to (`Collection.read`).
      let total = answer.headers["Content-Range"]?.split(separator: "/").last.map { UInt64($0) }
      if case .some(.some(let total)) = total, total != head.size { return nil }
      return length ?? head.length == head.length ? 0 : nil
    }
    // A page without a length can't be told from a sign-in page.
    guard length.map({ $0 == head.size }) ?? !isPage(answer) else { return nil }
    guard let range = head.range else { return 0 }
    // What follows the range could not be left out of the relay.
    return range.upperBound == head.size - 1 ? range.lowerBound : nil
  }

  /// The answer's bytes from `offset` on, of an object whose size, time and, if the server has any,
  /// tag are those of before.
  @Loop private static func rest(
    _ request: ObjectRequest, _ head: ObjectHead, tag: String?, from offset: UInt64
  ) async -> (transfer: Transfer, skip: UInt64)? {
    guard let range = head.range,
      let file = try? await request.collection.freshStat(request.path, trace: request.trace),
      file == FileStatus(kind: .file, size: head.size, modified: head.modified)
    else { return nil }
    let wanted = (range.lowerBound + offset)...range.upperBound
    guard case .success(let transfer) = await read(request, wanted) else { return nil }
    let rest = ObjectHead(
      status: 206, headers: [:], size: head.size, modified: head.modified, range: wanted)
    guard transfer.head.headers["ETag"] == tag, let skip = skip(transfer.head, for: rest) else {
      transfer.cancel()
      return nil
    }
    return (transfer, skip)
  }

  private static func isPage(_ answer: ResponseHead) -> Bool {
    answer.status == 200
      && answer.headers["Content-Type"]?.lowercased().hasPrefix("text/html") == true
  }
}
