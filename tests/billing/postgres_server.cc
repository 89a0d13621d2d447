// SPDX-License-Identifier: BSD-3-Clause
#include "tests/billing/postgres_server.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "billing/store.h"

namespace anabranch::billing {
namespace {

namespace fs = std::filesystem;

// Debian keeps the server's programs out of PATH, a folder for each version.
std::string programs() {
  std::string newest;
  std::error_code none;
  for (const auto& version : fs::directory_iterator("/usr/lib/postgresql", none)) {
    if (fs::exists(version.path() / "bin/initdb"))
      newest = std::max(newest, (version.path() / "bin").string());
  }
  return newest;
}

// The server refuses to be root's.
const passwd* unprivileged() {
  if (geteuid() != 0) return getpwuid(geteuid());
  const passwd* user = getpwnam("postgres");
  return user != nullptr ? user : getpwnam("nobody");
}

pid_t run_as(const passwd& user, const std::string& folder, std::vector<std::string> arguments) {
  const pid_t child = fork();
  if (child != 0) return child;
  if (geteuid() == 0 &&
      (setgroups(0, nullptr) != 0 || setgid(user.pw_gid) != 0 || setuid(user.pw_uid) != 0))
    _exit(126);
  prctl(PR_SET_PDEATHSIG, SIGQUIT);
  const int log = open((folder + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  if (chdir(folder.c_str()) != 0) _exit(126);
  std::vector<char*> argv;
  for (auto& a : arguments) argv.push_back(a.data());
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  _exit(127);
}

bool succeeded(pid_t child) {
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// The guardian's life: the server lives while `alive` has a writer.
void guard(const passwd& user, const std::string& folder, bool durable, int alive) {
  setsid();
  const std::string bin = programs();
  const bool made =
      succeeded(run_as(user, folder,
                       {bin + "/initdb", "--pgdata=" + folder + "/data", "--auth=trust",
                        "--encoding=UTF8", "--locale=C", "--no-sync", "--username=ledger"}));
  pid_t server = 0;
  if (made) {
    server = run_as(
        user, folder,
        {bin + "/postgres", "-D", folder + "/data", "-k", folder, "-c", "listen_addresses=", "-c",
         durable ? "fsync=on" : "fsync=off", "-c", "shared_buffers=64MB", "-c",
         "max_wal_size=512MB", "-c", "dynamic_shared_memory_type=posix"});
  }
  char none;
  while (read(alive, &none, 1) < 0 && errno == EINTR) {
  }
  if (server > 0) {
    kill(server, SIGINT);
    for (int i = 0; i < 100 && waitpid(server, nullptr, WNOHANG) == 0; ++i) usleep(100'000);
    kill(server, SIGQUIT);  // no harm if it is gone: nobody else is given its id before a wait
    waitpid(server, nullptr, 0);
  }
  std::error_code error;
  fs::remove_all(folder, error);
}

}  // namespace

std::unique_ptr<PostgresServer> PostgresServer::start(bool durable) {
  const passwd* user = unprivileged();
  if (user == nullptr || programs().empty()) {
    std::fprintf(stderr, "no PostgreSQL: install the package postgresql\n");
    return nullptr;
  }
  char name[] = "/var/tmp/anabranch-postgres-XXXXXX";
  const std::string folder = mkdtemp(name);
  int alive[2];
  if (chown(folder.c_str(), user->pw_uid, user->pw_gid) != 0 || pipe2(alive, O_CLOEXEC) != 0)
    return nullptr;
  const pid_t guardian = fork();
  if (guardian == 0) {
    close(alive[1]);
    guard(*user, folder, durable, alive[0]);
    _exit(0);
  }
  close(alive[0]);
  std::unique_ptr<PostgresServer> server(new PostgresServer(folder, "ledger", guardian, alive[1]));
  for (int i = 0; i < 300; ++i) {
    if (Store::open(server->url("postgres"))) return server;
    usleep(100'000);
  }
  std::fprintf(stderr, "PostgreSQL does not start; see %s/log\n", folder.c_str());
  return nullptr;
}

PostgresServer::~PostgresServer() {
  close(alive_);
  waitpid(guardian_, nullptr, 0);
}

std::string PostgresServer::url(const std::string& database, const std::string& schema) const {
  std::string url = "postgresql:///" + database + "?host=" + folder_ + "&user=" + user_;
  if (!schema.empty()) url += "&options=-csearch_path%3D" + schema;
  return url;
}

std::string PostgresServer::fresh() {
  const std::string schema = "ledger_" + std::to_string(++schemas_);
  const auto store = Store::open(url("postgres"));
  if (!store || !(*store)->script("CREATE SCHEMA " + schema)) std::abort();
  return url("postgres", schema);
}

}  // namespace anabranch::billing
