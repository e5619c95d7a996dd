#include "data/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <random>

#include "core/check.h"

namespace hv::data {
namespace {

// An open file that closes itself.
class File {
 public:
  explicit File(const std::string& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {  // O_NONBLOCK: do not wait for a pipe
    HV_CHECK_INPUT(fd_ >= 0, path, ": cannot open: ", std::strerror(errno));
  }
  ~File() { ::close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

int64_t regular_bytes(const File& file, const std::string& path) {
  struct stat info {};
  HV_CHECK_INPUT(::fstat(file.fd(), &info) == 0, path, ": cannot stat: ", std::strerror(errno));
  HV_CHECK_INPUT(S_ISREG(info.st_mode), path, ": not a regular file: name a file");
  return info.st_size;
}

void fill(const File& file, const std::string& path, uint8_t* out, int64_t bytes) {
  int64_t done = 0;
  while (done < bytes) {
    const ssize_t got = ::read(file.fd(), out + done, static_cast<size_t>(bytes - done));
    if (got < 0 && errno == EINTR) continue;
    HV_CHECK_INPUT(got >= 0, path, ": cannot read at byte ", done, ": ", std::strerror(errno));
    HV_CHECK_INPUT(got > 0, path, ": the file ends at byte ", done, ": expected ", bytes, " bytes");
    done += got;
  }
}

}  // namespace

int64_t file_bytes(const std::string& path) { return regular_bytes(File(path), path); }

void read_exactly(const std::string& path, uint8_t* out, int64_t bytes) { fill(File(path), path, out, bytes); }

std::vector<uint8_t> read_small(const std::string& path, int64_t limit) {
  const File file(path);
  const int64_t bytes = regular_bytes(file, path);
  HV_CHECK_INPUT(bytes <= limit, path, ": too large: ", bytes, " bytes, at most ", limit, " are accepted");
  std::vector<uint8_t> content(static_cast<size_t>(bytes));
  fill(file, path, content.data(), bytes);
  return content;
}

void read_chunks(const std::string& path, const std::function<void(std::span<const uint8_t>)>& take) {
  const File file(path);
  const int64_t bytes = regular_bytes(file, path);
  std::vector<uint8_t> buffer(size_t{1} << 20);
  for (int64_t left = bytes; left > 0;) {
    const int64_t count = std::min(left, static_cast<int64_t>(buffer.size()));
    fill(file, path, buffer.data(), count);
    take({buffer.data(), static_cast<size_t>(count)});
    left -= count;
  }
}

std::vector<std::string> read_lines(const std::string& path) {
  std::vector<std::string> lines;
  std::string line;
  std::vector<uint8_t> content = read_small(path, int64_t{1} << 20);
  content.push_back('\n');
  for (const uint8_t c : content) {
    if (c != '\n' && c != '\r') {
      line.push_back(static_cast<char>(c));
    } else if (!line.empty()) {
      lines.push_back(std::move(line));
      line.clear();
    }
  }
  return lines;
}

std::vector<uint8_t> read_beginning(const std::string& path, int64_t bytes) {
  const File file(path);
  std::vector<uint8_t> content(static_cast<size_t>(std::min(bytes, regular_bytes(file, path))));
  fill(file, path, content.data(), std::ssize(content));
  return content;
}

std::vector<Entry> list_entries(const std::string& path) {
  namespace fs = std::filesystem;
  const auto absent = [](const std::error_code& e) {
    return e == std::errc::no_such_file_or_directory || e == std::errc::not_a_directory;
  };
  const auto check = [](const std::string& where, const std::error_code& e) {
    HV_CHECK_INPUT(!e, where, ": cannot read the folder: ", e.message(), ": allow reading it or name another one");
  };
  std::vector<Entry> entries;
  std::error_code error;
  fs::directory_iterator it(path, error);
  if (absent(error)) return {};
  for (const fs::directory_iterator end; !error && it != end; it.increment(error)) {
    Entry entry{it->path().filename().string(), Entry::other};
    if (entry.name[0] == '.') continue;
    std::error_code type;
    if (it->is_directory(type)) {
      entry.kind = Entry::folder;
    } else if (it->is_regular_file(type)) {
      entry.kind = Entry::file;
    } else if (!absent(type) && type != std::errc::too_many_symbolic_link_levels) {
      check(it->path().string(), type);
    }
    entries.push_back(std::move(entry));
  }
  check(path, error);
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return entries;
}

std::vector<std::string> list_directory(const std::string& path, bool directories) {
  std::vector<std::string> names;
  for (Entry& entry : list_entries(path)) {
    if (entry.kind == (directories ? Entry::folder : Entry::file)) names.push_back(std::move(entry.name));
  }
  return names;
}

void check_class_name(const std::string& name, const std::string& where) {
  const bool control = std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; });
  HV_CHECK_INPUT(!control && !name.empty() && name.size() <= 255, where, ": a class name ",
                 control ? "with control characters" : concat("of ", name.size(), " bytes"),
                 ": expected 1 to 255 bytes of text on one line: rename it");
}

FileWriter::FileWriter(const std::string& path, bool fresh)
    : path_(path), fd_(::open(path.c_str(), O_WRONLY | O_CREAT | (fresh ? O_EXCL : O_TRUNC) | O_NOFOLLOW | O_CLOEXEC, 0644)) {
  if (fd_ < 0) refuse();
}

FileWriter::~FileWriter() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(path_.c_str());
}

void FileWriter::refuse() {
  fail(Fault::failure, path_, ": cannot write: ", std::strerror(errno), ": free some space or choose another place");
}

void FileWriter::write(std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd_, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) refuse();
    bytes = bytes.subspan(static_cast<size_t>(put));
  }
}

void FileWriter::finish() {
  if (::fsync(fd_) != 0) refuse();
  const int closed = ::close(fd_);
  fd_ = -1;
  if (closed != 0) refuse();
}

void rename_durably(const std::string& from, const std::string& to) {
  HV_CHECK(::rename(from.c_str(), to.c_str()) == 0, to, ": cannot rename from ", from, ": ", std::strerror(errno));
  const size_t slash = to.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : to.substr(0, slash + 1);
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;  // the rename itself has happened
  ::fsync(fd);
  ::close(fd);
}

void write_file(const std::string& path, std::span<const uint8_t> content) {
  std::random_device random;
  std::string temporary = path + ".hydravit.tmp.";  // then 16 digits, as train/files/file.cpp
  for (int i = 0; i < 16; ++i) temporary += "0123456789abcdef"[random() % 16];
  FileWriter out(temporary, true);
  out.write(content);
  out.finish();
  rename_durably(temporary, path);
}

std::string join(const std::string& directory, const std::string& name) {
  if (directory.empty() || directory.back() == '/') return directory + name;
  return directory + "/" + name;
}

}  // namespace hv::data
