/* A socket's congestion control. One function:
 *
 *   congestion(fd, name) -> what the socket has now
 *
 * `name` "" asks only. What the kernel does not allow changes nothing, so the answer tells whether it was taken; "" when the
 * descriptor is no TCP socket. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <node_api.h>
#include <string.h>
#include <sys/socket.h>

/* TCP_CA_NAME_MAX of the kernel, with the final zero. */
#define NAME_SIZE 16

static napi_value congestion(napi_env env, napi_callback_info info) {
  napi_value arguments[2], result;
  size_t count = 2, length = 0;
  int32_t fd = -1;
  char name[NAME_SIZE] = "";
  if (napi_get_cb_info(env, info, &count, arguments, NULL, NULL) != napi_ok || count < 2 ||
      napi_get_value_int32(env, arguments[0], &fd) != napi_ok ||
      napi_get_value_string_utf8(env, arguments[1], name, sizeof name, &length) != napi_ok) {
    napi_throw_type_error(env, NULL, "congestion(fd, name) takes a number and a string");
    return NULL;
  }
  if (length > 0) (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, length); /* asked for below */
  socklen_t size = sizeof name;
  memset(name, 0, sizeof name);
  if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size) != 0) name[0] = 0;
  name[NAME_SIZE - 1] = 0;
  return napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &result) == napi_ok ? result : NULL;
}

static napi_value init(napi_env env, napi_value exports) {
  napi_value function;
  if (napi_create_function(env, "congestion", NAPI_AUTO_LENGTH, congestion, NULL, &function) != napi_ok ||
      napi_set_named_property(env, exports, "congestion", function) != napi_ok)
    return NULL;
  return exports;
}

NAPI_MODULE(NODE_GYP_MODULE_NAME, init)
