import type { NginxOptions } from '../nginx.ts';

/** The whole of nginx.conf; the files it names lie in `folder`. */
export function configuration(folder: string, port: number, options: NginxOptions): string {
  const { verify = 'on', tls = ['TLSv1.2', 'TLSv1.3'], upstreamBody = '', keepaliveSeconds = 60 } = options;
  const resumption = options.resumption ?? false;
  return `
daemon off;
worker_processes 1;
worker_shutdown_timeout 1s;
pid ${folder}/nginx.pid;
error_log stderr notice;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  default_type application/json;
  keepalive_timeout ${keepaliveSeconds}s;
  keepalive_requests 1000000;
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${folder}/server.crt;
    ssl_certificate_key ${folder}/server.key;
    ssl_protocols ${tls.join(' ')};
    ssl_client_certificate ${folder}/ca.pem;
    ssl_verify_client ${verify};
    ssl_verify_depth 4;
    ${options.crlPem === undefined ? '' : `ssl_crl ${folder}/crl.pem;`}
    ssl_session_tickets ${resumption ? 'on' : 'off'};
    ssl_session_cache ${resumption ? 'shared:sessions:1m' : 'off'};
    location = /body { return 200 ${quote(upstreamBody)}; }
    location / { return 200 ${quote(ANSWER)}; }
  }
}
`;
}

const ANSWER =
  '{"serial":"$ssl_client_serial","verify":"$ssl_client_verify","resumed":"$ssl_session_reused",' +
  '"protocol":"$ssl_protocol","connection":"$connection"}';

function quote(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
