// HeadBucket: whether the credential opens the bucket's root folder.

import Reactor

enum HeadBucket {
  /// What an empty LocationConstraint means, so that both agree.
  static let region = "us-east-1"

  /// `root` is the bucket's root folder, absolute.
  @Loop static func run(
    _ collection: any Collection, root: String, trace: UpstreamTrace,
    signInURL: () -> String
  ) async throws(S3Error) -> Reply {
    let status: FileStatus
    do throws(GlobusError) {
      status = try await collection.stat(root, trace: trace)
    } catch .notFound {
      throw S3Error(.noSuchBucket, "The bucket's folder is not there any more.")
    } catch {
      throw S3Error(error, signInURL: signInURL())
    }
    guard status.kind == .directory else {
      throw S3Error(.noSuchBucket, "The bucket's folder is a file now.")
    }
    return Reply(
      status: 200,
      headers: ["x-amz-bucket-region": region, "Content-Type": "application/xml"],
      body: .none(length: 0))
  }
}
