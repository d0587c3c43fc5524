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
    if let file = request.remembered {
      let head = try request.head(file)
      if head.status == 304 { return head.reply() }
      let reading = await read(request, early.range)
      // The usual end, in which nothing more is waited for.
      if let reply = try reply(request, head, reading) { return reply }
      return try await answer(request, head, reading)
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
    _ request: ObjectRequest, _ range: ClosedRange<UInt64>?,
    over connection: TransferRequest.Connection = .any
  ) async -> Result<Transfer, GlobusError> {
    do throws(GlobusError) {
      return .success(
        try await request.collection.read(
          request.path, range: range, over: connection, trace: request.trace))
    } catch {
      return .failure(error)
    }
  }

  /// The reply, if need be after a second look at the status, since the remembered one may be too
  /// old, and then at the bytes, since the node may be sick.
  @Loop private static func answer(
    _ request: ObjectRequest, _ head: ObjectHead, _ reading: Result<Transfer, GlobusError>
  ) async throws(S3Error) -> Reply {
    if let reply = try reply(request, head, reading) { return reply }
    let head = try request.head(try await request.stat(fresh: true))
    if head.status == 304 { return head.reply() }
    if let reply = try reply(request, head, reading) { return reply }
    guard case .success(let transfer) = reading, !isPage(transfer.head) else {
      throw disagreement(request, head, reading)
    }
    transfer.cancel()
    let again = await read(
      request, head.isWhole ? nil : head.range, over: .any.avoiding(transfer.head.address))
    if let reply = try reply(request, head, again) { return reply }
    throw disagreement(request, head, again)
  }

  /// What a client is told when the status stands and the server's answer does not fit it.
  @Loop private static func disagreement(
    _ request: ObjectRequest, _ head: ObjectHead, _ reading: Result<Transfer, GlobusError>
  ) -> S3Error {
    switch reading {
    case .success(let transfer):
      let answer = transfer.head
      transfer.cancel()
      if isPage(answer) { return .expired(signInURL: request.signInURL()) }
      return .unavailable(
        "The collection's server and Globus do not agree on the object's size. Please try again.",
        cause: "the server's \(answer.status) of \(answer.contentLength.map { "\($0)" } ?? "?") "
          + "bytes does not fit an object of \(head.size)")
    case .failure(let error):
      return .unavailable(
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
    case .failure(let error): throw S3Error(error, signInURL: request.signInURL())
    }
    switch fit(transfer.head, for: head) {
    case .disagreement: return nil
    case .tooFar:
      transfer.cancel()
      throw .unavailable(
        "The collection's server does not serve parts of this object now, and the part asked for "
          + "begins more than \(GlobusLimits.skippedBytes >> 20) MiB behind its start. Please try "
          + "again, or read the object from its start.",
        cause: "200 to a range that begins at \(head.range?.lowerBound ?? 0)")
    case .part(let skip, let take):
      guard head.length > 0 else {
        transfer.cancel()
        return head.reply()
      }
      let tag = transfer.head.headers["ETag"]
      let first = BodyPart(transfer: transfer, skip: skip, take: take)
      return head.reply(
        .object(
          ObjectBody(first: first, length: head.length) { offset, avoiding in
            let rest = await Self.rest(request, head, tag: tag, from: offset, avoiding: avoiding)
            if case .success = rest {
              request.trace.resumes += 1
            } else {
              request.trace.refusedResumes += 1
            }
            return rest
          }))
    }
  }

  /// Where the bytes wanted are in a server's answer.
  enum Fit: Equatable {
    case part(skip: UInt64, take: UInt64?)
    /// The answer is not one of an object of that size.
    case disagreement
    /// More would have to be read and dropped before them than is sensible.
    case tooFar
  }

  static func fit(_ answer: ResponseHead, for head: ObjectHead) -> Fit {
    let length = answer.contentLength
    if answer.status == 206 {
      // The server's range begins where it was asked to (`Collection.read`).
      let total = answer.headers["Content-Range"]?.split(separator: "/").last.map { UInt64($0) }
      if case .some(.some(let total)) = total, total != head.size { return .disagreement }
      return length ?? head.length == head.length ? .part(skip: 0, take: nil) : .disagreement
    }
    // A page without a length can't be told from a sign-in page.
    guard length.map({ $0 == head.size }) ?? !isPage(answer) else { return .disagreement }
    guard let range = head.range else { return .part(skip: 0, take: nil) }
    guard range.lowerBound <= GlobusLimits.skippedBytes else { return .tooFar }
    // Up to the object's end the transfer's own end has to prove the length.
    return .part(
      skip: range.lowerBound, take: range.upperBound == head.size - 1 ? nil : head.length)
  }

  /// The answer's bytes from `offset` on, of an object whose size, time and, if the server has any,
  /// tag are those of before.
  @Loop private static func rest(
    _ request: ObjectRequest, _ head: ObjectHead, tag: String?, from offset: UInt64,
    avoiding addresses: [String]
  ) async -> Result<BodyPart, ResumeFailure> {
    let failure = { (reason: String) in Result<BodyPart, _>.failure(ResumeFailure(reason: reason)) }
    guard let range = head.range else { return failure("no bytes are missing") }
    let file: FileStatus
    do throws(GlobusError) {
      file = try await request.collection.freshStat(request.path, trace: request.trace)
    } catch {
      return failure("stat said \(error)")
    }
    guard file == FileStatus(kind: .file, size: head.size, modified: head.modified) else {
      return failure("the object has changed")
    }
    let wanted = (range.lowerBound + offset)...range.upperBound
    let transfer: Transfer
    switch await read(request, wanted, over: .fresh(avoiding: addresses)) {
    case .success(let success): transfer = success
    case .failure(let error): return failure("the server said \(error)")
    }
    let rest = ObjectHead(
      status: 206, headers: [:], size: head.size, modified: head.modified, range: wanted)
    let sameTag = transfer.head.headers["ETag"] == tag
    guard sameTag, case .part(let skip, let take) = fit(transfer.head, for: rest) else {
      transfer.cancel()
      return failure(
        sameTag ? "the server's \(transfer.head.status) does not fit" : "the ETag has changed")
    }
    return .success(BodyPart(transfer: transfer, skip: skip, take: take))
  }

  private static func isPage(_ answer: ResponseHead) -> Bool {
    answer.status == 200
      && answer.headers["Content-Type"]?.lowercased().hasPrefix("text/html") == true
  }
}
