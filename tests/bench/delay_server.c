/*
 * delay_server PORT ROOT MS: files by range over HTTP/1.1, each request answered MS after it
 * came, and another MS for each new connection: a server far away, on loopback.
 *
 * The first part of a path is any name: /scene07/red.tif is ROOT/red.tif, so that one scene
 * serves as many. GET /_counts gives "requests bytes connections" since it was last asked.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *root;
static int delay_ms;
static atomic_long n_requests, n_bytes, n_connections;

static void wait_ms(int ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
  nanosleep(&t, NULL);
}

static int send_text(int s, const char *text, size_t n, int flags) {
  while (n) {
    ssize_t sent = send(s, text, n, flags | MSG_NOSIGNAL);
    if (sent <= 0) return -1;
    text += sent;
    n -= (size_t)sent;
  }
  return 0;
}

static int answer_counts(int s) {
  char body[100], head[200];
  int n = snprintf(body, sizeof body, "%ld %ld %ld\n", atomic_exchange(&n_requests, 0),
                   atomic_exchange(&n_bytes, 0), atomic_exchange(&n_connections, 0));
  int m = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", n, body);
  return send_text(s, head, (size_t)m, 0);
}

static int answer_file(int s, const char *path, const char *range, int is_head) {
  char name[4096], head[600];
  struct stat info;
  const char *file = strchr(path + 1, '/');
  snprintf(name, sizeof name, "%s%.*s", root, (int)strcspn(file ? file : path, "?"),
           file ? file : path);
  int fd = open(name, O_RDONLY);
  atomic_fetch_add(&n_requests, 1);
  wait_ms(delay_ms);
  if (fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    if (fd >= 0) close(fd);
    static const char none[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    return send_text(s, none, sizeof none - 1, 0);
  }
  long size = (long)info.st_size, first = 0, last = size - 1;
  if (range && sscanf(range, "%ld-%ld", &first, &last) < 2) last = size - 1;
  if (last >= size) last = size - 1;
  int n =
      snprintf(head, sizeof head,
               "HTTP/1.1 %s\r\nETag: \"one\"\r\nAccept-Ranges: bytes\r\nContent-Length: %ld\r\n",
               range ? "206 Partial Content" : "200 OK", last - first + 1);
  if (range)
    n += snprintf(head + n, sizeof head - (size_t)n, "Content-Range: bytes %ld-%ld/%ld\r\n", first,
                  last, size);
  n += snprintf(head + n, sizeof head - (size_t)n, "\r\n");
  int failed = send_text(s, head, (size_t)n, is_head ? 0 : MSG_MORE);
  off_t at = first;
  while (!failed && !is_head && at <= last) {
    ssize_t sent = sendfile(s, fd, &at, (size_t)(last - at + 1));
    if (sent <= 0) failed = -1;
    if (sent > 0) atomic_fetch_add(&n_bytes, sent);
  }
  close(fd);
  return failed;
}

static void *serve(void *argument) {
  int s = (int)(intptr_t)argument, one = 1, is_new = 1;
  char text[16384];
  size_t n = 0;
  setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  for (;;) {
    char method[8] = "", path[2048] = "", *end;
    text[n] = '\0';
    while ((end = strstr(text, "\r\n\r\n")) == NULL) {
      ssize_t got = n + 1 < sizeof text ? read(s, text + n, sizeof text - 1 - n) : 0;
      if (got <= 0) goto done;
      n += (size_t)got;
      text[n] = '\0';
    }
    *end = '\0';
    sscanf(text, "%7s %2047s", method, path);
    char *range = strcasestr(text, "\r\nrange: bytes=");
    int failed;
    if (strcmp(path, "/_counts") == 0) {
      failed = answer_counts(s);
    } else {
      if (is_new) {
        atomic_fetch_add(&n_connections, 1);
        wait_ms(delay_ms);
      }
      is_new = 0;
      failed = answer_file(s, path, range ? range + 15 : NULL, strcmp(method, "HEAD") == 0);
    }
    if (failed) break;
    size_t used = (size_t)(end + 4 - text);
    memmove(text, text + used, n - used);
    n -= used;
  }
done:
  close(s);
  return NULL;
}

int main(int n, char **arguments) {
  if (n < 4) {
    fprintf(stderr, "usage: delay_server PORT ROOT MS\n");
    return 2;
  }
  struct sockaddr_in place = {.sin_family = AF_INET,
                              .sin_port = htons((uint16_t)atoi(arguments[1]))};
  int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  pthread_attr_t detached;
  root = arguments[2];
  delay_ms = atoi(arguments[3]);
  place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  signal(SIGPIPE, SIG_IGN);
  setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(s, (struct sockaddr *)&place, sizeof place) != 0 || listen(s, 512) != 0) {
    perror("delay_server");
    return 1;
  }
  pthread_attr_init(&detached);
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  for (;;) {
    pthread_t thread;
    int c = accept(s, NULL, NULL);
    if (c >= 0 && pthread_create(&thread, &detached, serve, (void *)(intptr_t)c) != 0) close(c);
  }
}
