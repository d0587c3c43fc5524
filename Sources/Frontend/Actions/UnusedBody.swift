// UnusedBody: the body of a request that has no use for one.
//
// It is read before anything is done, so that bytes which are not framed as the head says are
// refused like any other malformed request, and never follow an answer that took no notice.

import Reactor

enum UnusedBody {
  /// Reads the body and drops it. Throws what is wrong with it, or with there being so much of it.
  /// Of a request that `isRefused` anyway a long body, or one that the client holds back until it is
  /// asked for, is left alone: the connection ends with the refusal.
  @Loop static func drop(of exchange: Exchange, isRefused: Bool) async throws(S3Error) {
    let head = exchange.head
    guard head.hasBody else { return }
    let isLong = head.contentLength.map { $0 > UInt64(Limits.unusedBodyBytes) } ?? false
    if isRefused, isLong || head["expect"] != nil { return }
    do {
      _ = try await exchange.readBody(limit: Limits.unusedBodyBytes)
    } catch .tooLarge {
      if isRefused { return }
      throw S3Error(.invalidRequest, "This request takes no body, and a long one came with it.")
    } catch .malformed {
      throw S3Error(.badRequest, "The chunks of the request's body are not well-formed.")
    } catch .timeout {
      throw S3Error(.requestTimeout, "The request's body did not come in time.")
    } catch {
      throw S3Error(.incompleteBody)
    }
  }
}
