#include "data/download.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "core/check.h"
#include "data/files.h"
#include "data/sha256.h"

namespace hv::data {
namespace fs = std::filesystem;
namespace {

// Receives the bytes. libcurl calls these functions from C, so they must not throw.
struct Transfer {
  int fd = -1;
  int64_t at = 0, limit = 0;  // bytes in the file; bytes it may have
  bool too_long = false;
  int write_errno = 0;
  const GetOptions* options = nullptr;

  static size_t take(char* data, size_t size, size_t count, void* self) {
    auto& t = *static_cast<Transfer*>(self);
    const size_t bytes = size * count;
    if (t.at + static_cast<int64_t>(bytes) > t.limit) {
      t.too_long = true;
      return 0;
    }
    for (size_t done = 0; done < bytes;) {
      const ssize_t put = ::write(t.fd, data + done, bytes - done);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) {
        t.write_errno = errno;
        return 0;
      }
      done += static_cast<size_t>(put);
      t.at += put;
    }
    return bytes;
  }
  static int progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    const auto& t = *static_cast<Transfer*>(self);
    if (t.options->progress) t.options->progress(t.at, t.limit);
    return 0;
  }
};

int64_t size_or_zero(const std::string& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return error ? 0 : static_cast<int64_t>(size);
}

// Downloads the rest of `part`, up to `bytes` bytes. Returns an empty string or what went wrong; bytes that arrived are kept.
std::string download(const std::string& url, const std::string& part, int64_t bytes, const GetOptions& options) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(ready == CURLE_OK ? curl_easy_init() : nullptr, curl_easy_cleanup);
  if (!curl) return "libcurl does not start";

  const int fd = ::open(part.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644);
  HV_CHECK(fd >= 0, part, ": cannot write: ", std::strerror(errno), ": choose another directory");
  Transfer transfer;
  transfer.fd = fd;
  transfer.at = size_or_zero(part);
  transfer.limit = bytes;
  transfer.options = &options;

  char reason[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl.get(), CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl.get(), CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_MAXREDIRS, 5L);
  curl_easy_setopt(curl.get(), CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT, static_cast<long>(options.connect_seconds));
  curl_easy_setopt(curl.get(), CURLOPT_LOW_SPEED_LIMIT, static_cast<long>(options.least_speed));
  curl_easy_setopt(curl.get(), CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.stall_seconds));
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, reason);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &Transfer::take);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl.get(), CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl.get(), CURLOPT_XFERINFOFUNCTION, &Transfer::progress);
  curl_easy_setopt(curl.get(), CURLOPT_XFERINFODATA, &transfer);

  CURLcode code = CURLE_OK;
  if (transfer.at < bytes) {
    curl_easy_setopt(curl.get(), CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(transfer.at));
    code = curl_easy_perform(curl.get());
    if (code == CURLE_RANGE_ERROR && ::ftruncate(fd, 0) == 0) {  // the server cannot resume: start at byte 0
      transfer.at = 0;
      curl_easy_setopt(curl.get(), CURLOPT_RESUME_FROM_LARGE, curl_off_t{0});
      code = curl_easy_perform(curl.get());
    }
  }
  const bool flushed = ::fsync(fd) == 0;
  ::close(fd);
  if (transfer.at == 0) ::unlink(part.c_str());
  if (transfer.write_errno != 0) return concat("cannot write ", part, ": ", std::strerror(transfer.write_errno));
  if (transfer.too_long) return concat("the file there is longer than the expected ", bytes, " bytes");
  if (code != CURLE_OK) return reason[0] ? reason : curl_easy_strerror(code);
  if (!flushed) return concat("cannot write ", part, ": the disk refuses");
  if (transfer.at < bytes) return concat("the transfer ended at byte ", transfer.at, " of ", bytes);
  return "";
}

// Empty if the file is the package's archive, else what is wrong with it.
std::string compare(const Package& package, const std::string& path) {
  const int64_t bytes = file_bytes(path);
  if (bytes != package.bytes) return concat("expected ", package.bytes, " bytes, found ", bytes);
  const std::string hash = sha256_file(path);
  if (hash != package.sha256) return concat("expected SHA-256 ", package.sha256, ", found ", hash);
  return "";
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// Empty if every file of the package lies in `folder`, else what is wrong.
std::string installed_problem(const Package& package, const std::string& folder) {
  for (const ArchiveFile& file : package.files) {
    const std::string path = join(folder, base_name(file.path));
    std::error_code error;
    if (file.bytes < 0) continue;  // small text files are not needed
    if (!fs::is_regular_file(path, error)) return concat(path, " is missing");
    const int64_t bytes = size_or_zero(path);
    if (bytes != file.bytes) return concat(path, ": expected ", file.bytes, " bytes, found ", bytes);
  }
  return "";
}

}  // namespace

const std::vector<Package>& packages() {
  static const std::vector<Package> all = [] {
    // The data sets' home: Alex Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
    const std::string home = "https://www.cs.toronto.edu/~kriz/";
    std::vector<ArchiveFile> ten = {{"cifar-10-batches-bin/test_batch.bin", 30730000},
                                    {"cifar-10-batches-bin/batches.meta.txt"},
                                    {"cifar-10-batches-bin/readme.html"}};
    for (int i = 1; i <= 5; ++i) ten.push_back({concat("cifar-10-batches-bin/data_batch_", i, ".bin"), 30730000});
    const std::vector<ArchiveFile> hundred = {{"cifar-100-binary/train.bin", 153700000},
                                              {"cifar-100-binary/test.bin", 30740000},
                                              {"cifar-100-binary/coarse_label_names.txt"},
                                              {"cifar-100-binary/fine_label_names.txt"}};
    return std::vector<Package>{
        {"cifar10", home + "cifar-10-binary.tar.gz", "cifar-10-binary.tar.gz", 170052171,
         "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd", "cifar-10-batches-bin", ten},
        {"cifar100", home + "cifar-100-binary.tar.gz", "cifar-100-binary.tar.gz", 168513733,
         "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec", "cifar-100-binary", hundred}};
  }();
  return all;
}

const Package& find_package(const std::string& name) {
  std::string names;
  for (const Package& package : packages()) {
    if (package.name == name) return package;
    names += (names.empty() ? "" : ", ") + package.name;
  }
  fail(Fault::usage, "data get: unknown data set: ", name, ": choose one of ", names);
}

GetResult get(const Package& package, const std::string& directory, const GetOptions& options) {
  const std::string url = options.url.empty() ? package.url : options.url;
  const std::string folder = join(directory, package.folder), archive = join(directory, package.archive);
  const std::string part = archive + ".part";
  std::error_code error;
  if (fs::exists(folder, error)) {
    const std::string problem = installed_problem(package, folder);
    HV_CHECK_INPUT(problem.empty(), folder, ": incomplete: ", problem, ": remove or rename this folder, then try again");
    return {folder, true};
  }
  fs::create_directories(directory, error);
  HV_CHECK(!error, directory, ": cannot create the directory: ", error.message(), ": choose another one");

  const bool given = fs::exists(archive, error);
  if (given) {
    const std::string problem = compare(package, archive);
    HV_CHECK_INPUT(problem.empty(), archive, ": not the expected archive: ", problem, ": remove it or fetch it again from ",
                   url);
  } else {
    for (bool again = true; again;) {
      if (size_or_zero(part) > package.bytes) fs::remove(part, error);
      const bool resumed = size_or_zero(part) > 0;
      const std::string trouble = download(url, part, package.bytes, options);
      HV_CHECK(trouble.empty(), package.name, ": download failed: ", trouble, ": try again, or fetch ", url,
               " by other means, put it at ", archive, " and try again");
      const std::string problem = compare(package, part);
      if (!problem.empty()) fs::remove(part, error);
      again = !problem.empty() && resumed;  // the old beginning may be another file's: once more from byte 0
      HV_CHECK_INPUT(problem.empty() || again, package.name, ": wrong content from ", url, ": ", problem,
                     ": nothing was installed; try another address");
    }
    rename_durably(part, archive);
  }

  // Unpacked into a temporary folder, then renamed, so that the folder is either whole or absent.
  const std::string temporary = join(directory, concat(".", package.folder, ".", ::getpid(), ".tmp"));
  fs::remove_all(temporary, error);
  fs::create_directory(temporary, error);
  HV_CHECK(!error, temporary, ": cannot create the directory: ", error.message());
  try {
    extract_tar_gz(archive, package.files, temporary);
    rename_durably(temporary, folder);
  } catch (...) {
    fs::remove_all(temporary, error);
    throw;
  }
  if (!given) fs::remove(archive, error);
  return {folder, false};
}

GetResult get(const std::string& name, const std::string& directory, const GetOptions& options) {
  return get(find_package(name), directory, options);
}

}  // namespace hv::data
